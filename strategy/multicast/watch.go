package multicast

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	silence    = 15 * time.Second // without any foreign packet: an operator is told
	warnEvery  = 10 * time.Minute // the same warning, at most this often
	namesakes  = 30 * time.Second // packets of one name from two lives for so long are no restart
	linesEvery = time.Second      // in this time
	lines      = 10               // lines at most about what others send
)

// watch decides when an operator must hear of silence. The log stays bounded whatever is received.
type watch struct {
	next   time.Time
	last   time.Time // a foreign packet was accepted; the start at first
	warned bool

	stale     time.Time // a packet of an older life was dropped: the first of an unbroken series,
	staleLast time.Time // and the last
	nameTold  time.Time
	refused   uint64 // packets of this cluster that were refused, as told last
	refusedAt time.Time
	second    time.Time // lines logged since then
	logged    int
}

func newWatch(now time.Time) watch { return watch{next: now.Add(silence), last: now} }

// heard notes a packet of a peer.
func (w *watch) heard(log hclog.Logger, now time.Time) {
	if w.warned {
		w.warned = false
		w.say(log, now, "peers are heard again", "elapsed", now.Sub(w.last))
	}
	w.last = now
	if at := now.Add(silence); at.Before(w.next) {
		w.next = at
	}
}

// look warns if nobody was heard for a while, and plans the next look.
func (w *watch) look(log hclog.Logger, d Diagnosis, now time.Time) {
	if quiet := now.Sub(w.last); quiet < silence {
		w.next = w.last.Add(silence)
		return
	}
	w.warned = true
	w.next = now.Add(warnEvery)
	log.Warn("nobody heard", "elapsed", now.Sub(w.last).Round(time.Second), "interfaces", d.Interfaces,
		"targets", d.Targets, "sent", d.Sent, "rejected", d.rejected(), "hint", d.Hint())
}

// say logs what others cause, a bounded number of lines a second.
func (w *watch) say(log hclog.Logger, now time.Time, message string, args ...any) {
	if now.Sub(w.second) >= linesEvery {
		w.second, w.logged = now, 0
	}
	if w.logged++; w.logged <= lines {
		log.Info(message, args...)
	}
}

// namesake takes note of a packet from an older life of a node. After a restart few of those
// arrive; who keeps sending them is another node of the same name.
func (w *watch) namesake(log hclog.Logger, a *arrival) {
	if a.time.Sub(w.staleLast) > namesakes/2 {
		w.stale = a.time
	}
	w.staleLast = a.time
	if a.time.Sub(w.stale) < namesakes || a.time.Sub(w.nameTold) < warnEvery {
		return
	}
	w.nameTold = a.time
	log.Warn("two nodes use one name, only the one started last is reported", "peer", a.packet.Node, "addr", a.from.String())
}

// refusals warns of packets of this cluster that could not be accepted while others are: some nodes have
// other keys, or a clock that is off.
func (w *watch) refusals(log hclog.Logger, d Diagnosis, now time.Time) {
	n := d.Received[badKey.String()] + d.Received[badPlain.String()] + d.Received[badSkew.String()]
	if d.Peers == 0 || n == w.refused || now.Sub(w.refusedAt) < warnEvery {
		return
	}
	w.refused, w.refusedAt = n, now
	log.Warn("packets of this cluster were dropped", "rejected", d.rejected(), "hint", d.cause())
}

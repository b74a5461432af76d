package core

import (
	"slices"
	"time"
)

// dialler calls nodes, with a backoff per target that grows to Config.DialCap and then stays: an unreachable node is called for
// ever, since the first working link is what merges two halves.
//
// Seeds, addresses at which a node may run, wait in a fair queue: those that were never tried first, the newest word of the
// application before all, then the one whose last try is the longest ago. So dead addresses, however many, never keep a live one
// from its turn.
type dialler struct {
	*host
	store *store
	links *links
	judge *verdict
	ring  *rings

	seeds    []*target
	inFlight map[uint64]*target
	lost     []*target // may have lost set
	last     uint64
	dueAt    time.Duration
	seedAt   time.Duration // no further seed before
}

// backOff sets when a target is dialled next: after a time that doubles, spread over half to one and a half of itself.
func (d *dialler) backOff(t *target, now time.Duration) {
	t.backoff = min(max(2*t.backoff, 250*time.Millisecond), d.cfg.DialCap)
	t.next = now + t.backoff/2 + time.Duration(d.rng.Int64N(int64(t.backoff)))
}

// work starts the dials that are due and finds out when the next one is.
func (d *dialler) work() {
	now := d.now()
	if d.dueAt == 0 || now < d.dueAt {
		return
	}
	d.dueAt = 0
	for _, t := range d.lost {
		if t.lost && d.links.byPeer[t.slot] == nil {
			d.dial(t, t.slot.addr)
		}
	}
	d.lost = slices.DeleteFunc(d.lost, func(t *target) bool { return !t.lost })
	for _, t := range d.ring.list {
		d.dialNeighbour(t)
	}
	d.dialSeeds()
}

// strainedDials bounds the dials under way to ring neighbours while this node or a neighbour is behind: handshakes that end at their
// deadline are work for nothing, and the more are begun the more do.
const strainedDials = 2

// dialNeighbour dials a ring neighbour. The predecessor dials; the successor does if nothing came for a while, as when the other
// cannot reach it.
func (d *dialler) dialNeighbour(t *slot) {
	if d.links.byPeer[t] != nil {
		return
	}
	call := t.target()
	if t.want == wantTaken {
		if at := call.wantedAt + 2*time.Second; d.now() < at {
			soonest(&d.dueAt, at)
			return
		}
	}
	if d.links.strain() > 0 && len(d.inFlight) >= strainedDials {
		soonest(&d.dueAt, d.now()+d.patiently(d.cfg.Relax))
		return
	}
	d.dial(call, t.addr)
}

// dial starts a dial unless one is in flight or it is too early.
func (d *dialler) dial(t *target, addr string) bool {

	if t.attempt != 0 {
		return false
	}
	if d.now() < t.next {
		soonest(&d.dueAt, t.next)
		return false
	}
	d.last++
	t.attempt = d.last
	d.inFlight[t.attempt] = t
	id := ""
	if t.slot != nil && t.slot.rec != nil {
		id = t.slot.rec.id
	}
	d.emit(Dial{ID: id, Addr: addr, Attempt: t.attempt})
	return true
}

// failed decides a redial, and sets the backoff.
func (d *dialler) failed(in DialFailed) {

	t := d.inFlight[in.Attempt]
	if t == nil {
		return
	}
	delete(d.inFlight, in.Attempt)
	t.attempt = 0
	d.backOff(t, d.now())
	if t.lost {
		t.lost = false
		d.links.publishNow()
		d.ring.soon(true)
	}
	soonest(&d.dueAt, d.now())
}

// dialled ends the dial that brought a link, and returns the place of the peer and the target, nil if there was none. The backoff
// stays, and even grows, until the link has lived for a while (see tend): a peer that accepts and breaks every stream would otherwise be
// dialled without a pause.
func (d *dialler) dialled(in LinkUp, node NodeID) (*slot, *target) {
	s := d.store.slot(node)
	now := d.now()
	t := d.inFlight[in.Attempt]
	if t != nil {
		delete(d.inFlight, in.Attempt)
		t.attempt = 0
		d.backOff(t, now)
		if t.slot != s && t.lost { // another node is there now
			t.lost = false
			d.links.publishNow()
		}
		if t.addr != "" { // a seed
			t.slot = s
		}
		soonest(&d.dueAt, now)
	}
	if s.call != nil {
		s.call.lost = false
	}
	return s, t
}

// redialSoon sets when the peer of a link that ended is dialled again.
func (d *dialler) redialSoon(l *link, call *target) {
	now := d.now()
	if now-l.since >= livedFor*d.cfg.Heartbeat {
		call.backoff, call.next = 0, now
	} else {
		d.backOff(call, now)
		if call.lost && call.next > now+d.cfg.Coalesce { // the redial comes too late to decide whether the link stays published
			call.lost = false
			d.links.publishNow()
		}
	}
	soonest(&d.dueAt, call.next)
}

// livedFor is how long a link must have lived, in heartbeats, for its peer to be dialled again at once. One that shakes hands and
// breaks is dialled with the backoff of one that cannot be reached.
const livedFor = 5

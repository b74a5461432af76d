package multicast

import (
	"fmt"
	"strings"
	"time"

	"github.com/goconvoke/convoke/internal/ratelog"
	"github.com/hashicorp/go-hclog"
)

const (
	silenceWarnAfter   = 15 * time.Second // without any foreign packet: it is logged
	warnEvery          = 10 * time.Minute // the same warning, at most this often
	duplicateNameAfter = 30 * time.Second // packets of one name from two lives for so long do not come from a restart

	summaryDelay = time.Second // changes of the peers so close together make one line of each kind
	namedAtMost  = 3           // peers that a line names; the others are counted
)

// peerLog decides when an operator must hear of silence. The log stays bounded whatever is received.
type peerLog struct {
	next   time.Time
	last   time.Time // a foreign packet was accepted; the start at first
	warned bool

	stale     time.Time // a packet of an older life was dropped: the first of an unbroken series,
	staleLast time.Time // and the last
	refused   uint64    // packets of this cluster that were refused, as logged last
	warnings  *ratelog.Limiter

	came, left, lost changeCount // of the peers, since the last summary
	changed          time.Time   // when the first of those changed
	summaryAt        time.Time   // when the next summary is due; zero: nothing has changed
	summaries        ratelog.Pacer
}

// changeCount are peers that changed in one way.
type changeCount struct {
	count int
	names []string // of the first
}

// String names the first peers and counts the others: "n80, n32 and 28 more".
func (c changeCount) String() string {
	text := strings.Join(c.names, ", ")
	if more := c.count - len(c.names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// nameOf returns what a log calls a node of this name.
func nameOf(node string) string {
	if node == "" {
		return "(unnamed)"
	}
	return node
}

func newPeerLog(now time.Time) peerLog {
	return peerLog{next: now.Add(silenceWarnAfter), last: now, warnings: &ratelog.Limiter{Every: warnEvery}}
}

// recordHeard notes a packet of a peer.
func (w *peerLog) recordHeard(log hclog.Logger, now time.Time) {
	if w.warned {
		w.warned = false
		log.Info("peers are heard again", "elapsed", now.Sub(w.last))
	}
	w.last = now
	if at := now.Add(silenceWarnAfter); at.Before(w.next) {
		w.next = at
	}
}

// warnIfSilent warns if no peer was heard for a while, and plans the next look.
func (w *peerLog) warnIfSilent(log hclog.Logger, d diagnosis, now time.Time) {
	if quiet := now.Sub(w.last); quiet < silenceWarnAfter {
		w.next = w.last.Add(silenceWarnAfter)
		return
	}
	w.warned = true
	w.next = now.Add(warnEvery)
	log.Warn("no peer heard", "elapsed", now.Sub(w.last).Round(time.Second), "interfaces", d.Interfaces,
		"targets", d.Targets, "sent", d.Sent, "rejected", d.rejected(), "hint", d.hint())
}

// nextLook returns when look or summarize has something to do.
func (w *peerLog) nextLook() time.Time {
	if !w.summaryAt.IsZero() && w.summaryAt.Before(w.next) {
		return w.summaryAt
	}
	return w.next
}

// countChange notes that a peer changed; the next summary has it.
func (w *peerLog) countChange(c *changeCount, name string, now time.Time) {
	if c.count++; len(c.names) < namedAtMost {
		c.names = append(c.names, name)
	}
	if w.summaryAt.IsZero() {
		w.changed, w.summaryAt = now, laterOf(now.Add(summaryDelay), w.summaries.Next())
	}
}

// logSummary logs which peers have changed, when it is due: a few lines however many peers there are.
func (w *peerLog) logSummary(log hclog.Logger, peers int, now time.Time) {
	if w.summaryAt.IsZero() || now.Before(w.summaryAt) {
		return
	}
	w.summaryAt = time.Time{}
	w.summaries.Passed(now)
	for _, line := range []struct {
		phrase string
		of     *changeCount
	}{{"peers heard", &w.came}, {"peers left", &w.left}, {"peers fell silent", &w.lost}} {
		if line.of.count > 0 {
			pairs := []any{"count", line.of.count, "peers", line.of.String(), "now", peers}
			log.Info(line.phrase, append(pairs, ratelog.Pairs(0, now.Sub(w.changed))...)...)
			*line.of = changeCount{}
		}
	}
}

// warnDuplicateName takes note of a packet from an older life of a node. After a restart few of those
// arrive; a node that keeps sending them is another one of the same name.
func (w *peerLog) warnDuplicateName(log hclog.Logger, a *received) {
	if a.time.Sub(w.staleLast) > duplicateNameAfter/2 {
		w.stale = a.time
	}
	w.staleLast = a.time
	const phrase = "two nodes use one name, only the one started last is reported"
	if a.time.Sub(w.stale) < duplicateNameAfter || !w.warnings.Allow(phrase, a.time) {
		return
	}
	log.Warn(phrase, "peer", a.packet.Node, "addr", a.from.String())
}

// warnRefusals warns of packets of this cluster that could not be accepted while others are: some nodes have
// other keys, or a clock that is off.
func (w *peerLog) warnRefusals(log hclog.Logger, d diagnosis, now time.Time) {
	n := d.Received[badKey.String()] + d.Received[badPlain.String()] + d.Received[badSkew.String()]
	const phrase = "packets of this cluster were dropped"
	if d.Peers == 0 || n == w.refused || !w.warnings.Allow(phrase, now) {
		return
	}
	w.refused = n
	log.Warn(phrase, "rejected", d.rejected(), "hint", d.cause())
}

package multicast

import (
	"math/rand/v2"
	"time"
)

const (
	quickGap = 200 * time.Millisecond // between the first two heartbeats, and the least window for a newcomer

	steadyRate = 20          // heartbeats a second of all nodes together at most, once they know each other
	maxSteady  = time.Minute // an interval is not longer for that
	hostRate   = 1000        // heartbeats of the nodes of one host a second that they receive together: each wakes all of them
	quickRate  = 25          // and for a moment while one of them is new: the first is heard at once, the last after N/25 s
)

// heartbeatPacer plans the heartbeats of one node after the Trickle algorithm (RFC 6206): quick when something is new, then at
// gaps that double up to a steady interval. That interval grows with the number of nodes, so that what all of
// them send together stays the same; the cost of a cluster would grow with the square of its size otherwise.
type heartbeatPacer struct {
	least time.Duration // the configured interval
	rand  *rand.Rand

	gap  time.Duration // that the next heartbeat was planned with, before its jitter
	last time.Time     // of the latest heartbeat, zero before the first
	next time.Time     // of the next one
}

func newHeartbeatPacer(least time.Duration, r *rand.Rand, now time.Time) heartbeatPacer {
	return heartbeatPacer{least: least, rand: r, next: now}
}

// steadyInterval returns the interval of a node among this many, and this many of its host, itself included, when nothing is new.
func (p *heartbeatPacer) steadyInterval(nodes, onHost int) time.Duration {
	return min(max(p.least, time.Duration(nodes)*time.Second/steadyRate, time.Duration(onHost*onHost)*time.Second/hostRate),
		max(p.least, maxSteady))
}

// planAfterSend plans the heartbeat after one that was just sent and announced the interval steady: no gap is longer, but for
// a jitter of ±50 %.
func (p *heartbeatPacer) planAfterSend(now time.Time, steady time.Duration) {
	p.gap = min(max(2*p.gap, quickGap), steady)
	p.last = now
	p.next = now.Add(time.Duration((0.5 + p.rand.Float64()) * float64(p.gap)))
}

// planRetry plans a heartbeat that could not be sent yet.
func (p *heartbeatPacer) planRetry(now time.Time) { p.next = now.Add(quickGap) }

// sendSoon makes this node heard soon by all: it has just become able to reach more of them. The start is random,
// because others may have become so at the same moment.
func (p *heartbeatPacer) sendSoon(now time.Time) {
	p.gap = 0
	p.bringForward(laterOf(now, p.last.Add(quickGap)).Add(p.upTo(quickGap)))
}

// planGreeting makes a newcomer hear this node soon. All nodes greet at once, so the window in which they do grows with their
// number; a node that has just sent a heartbeat waits for the second half of it.
func (p *heartbeatPacer) planGreeting(now time.Time, nodes int) {
	window := max(quickGap, time.Duration(nodes)*time.Second/quickRate)
	half := window / 2
	if at := laterOf(now, p.last.Add(half)).Add(p.upTo(half)); at.Before(p.next) {
		p.next, p.gap = at, half
	}
}

func (p *heartbeatPacer) bringForward(at time.Time) {
	if at.Before(p.next) {
		p.next = at
	}
}

// upTo returns a random duration below d.
func (p *heartbeatPacer) upTo(d time.Duration) time.Duration {
	return time.Duration(p.rand.Float64() * float64(d))
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

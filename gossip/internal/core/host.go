package core

import (
	"math/rand/v2"
	"time"
)

// host is what the parts of a core share: what this node is, its running time, and what a step emits.
type host struct {
	cfg   Config
	node  NodeID
	rng   *rand.Rand
	clock clock
	load  load
	out   []Output

	self   *slot // this node's place in the store
	stale  bool  // what a view shows differs from what was last announced
	closed bool  // left, or superseded
}

// now is the running time, which stands still while the process does not run: deadlines and the patience with others are counted in it.
func (h *host) now() time.Duration { return h.clock.at }

// emit adds an output of this step. The shell carries outputs out in this order.
func (h *host) emit(o Output) { h.out = append(h.out, o) }

func (h *host) send(l *link, f Frame) { h.emit(Send{Link: l.id, Frame: f}) }

// jitter spreads d by ±20 %, so that nodes started together do not act together.
func (h *host) jitter(d time.Duration) time.Duration {
	return d - d/5 + time.Duration(h.rng.Int64N(int64(2*d/5)+1))
}

// patiently is how long to wait for company where d suffices for a node that is not behind: while it is, so long that what takes
// part in the wait arrives.
func (h *host) patiently(d time.Duration) time.Duration { return d + 2*h.load.lag }

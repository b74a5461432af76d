package core

import (
	"slices"
	"time"
)

// target is what to dial: a node, or an address of which only the address is known.
type target struct {
	slot    *slot // nil: only the address is known
	addr    string
	attempt uint64        // of the dial in flight, 0: none
	lost    bool          // a published link broke and the redial is undecided
	next    time.Duration // no dial before, in running time
	backoff time.Duration // the last pause, without its jitter; 0: the next failure has the shortest one

	wantedAt time.Duration // of a node: when the rings began to want a link to it

	flaps flaps // of links to it

	named time.Duration // of a seed: when the application last named it; 0: it is remembered from an earlier life
	tried time.Duration // of a seed: when it was last dialled; 0: never
}

// target returns the calls made to a node.
func (t *slot) target() *target {
	if t.call == nil {
		t.call = &target{slot: t}
	}
	return t.call
}

// target returns the calls made to a node whose link may be lost.
func (d *dialler) target(t *slot) *target {
	t.target()
	if !slices.Contains(d.lost, t.call) {
		d.lost = append(d.lost, t.call)
	}
	return t.call
}

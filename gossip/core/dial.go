package core

import (
	"slices"
	"time"
)

// target is somebody to dial: a node, or an address of which only the address is known.
type target struct {
	slot    *slot // nil: only the address is known
	addr    string
	attempt uint64 // of the dial in flight, 0: none
	lost    bool   // a published link broke and the redial is undecided
	next    time.Duration
	backoff time.Duration
}

// dialler calls nodes, with a backoff per target that grows to Config.DialCap and then stays: who is unreachable is called for
// ever, since the first working link is what merges two halves.
type dialler struct {
	seeds    []*target
	inFlight map[uint64]*target
	lost     []*target // may have lost set
	last     uint64
	dueAt    time.Duration
}

// maxSeedDials bounds the seeds that are tried at once.
const maxSeedDials = 4

func newDialler() dialler { return dialler{inFlight: map[uint64]*target{}} }

// target returns the calls made to a node.
func (d *dialler) target(t *slot) *target {
	if t.call == nil {
		t.call = &target{slot: t}
	}
	if !slices.Contains(d.lost, t.call) {
		d.lost = append(d.lost, t.call)
	}
	return t.call
}

func (d *dialler) addSeeds(addrs []string, now time.Duration) {
	for _, a := range addrs {
		if a != "" && !slices.ContainsFunc(d.seeds, func(t *target) bool { return t.addr == a }) {
			d.seeds = append(d.seeds, &target{addr: a})
		}
	}
	soonest(&d.dueAt, now)
}

// dialDue starts the dials that are due and finds out when the next one is.
func (c *Core) dialDue() {
	d, now := &c.dials, c.now()
	if d.dueAt == 0 || now < d.dueAt {
		return
	}
	d.dueAt = 0
	for _, t := range d.lost {
		if t.lost && c.links.byPeer[t.slot] == nil {
			c.dial(t, t.slot.addr)
		}
	}
	d.lost = slices.DeleteFunc(d.lost, func(t *target) bool { return !t.lost })
	for _, t := range c.ring.list {
		c.dialNeighbour(t)
	}
	c.dialSeeds()
}

// dialNeighbour dials a ring neighbour. The predecessor dials; the successor does if nothing came for a while, as when the other
// cannot reach it.
func (c *Core) dialNeighbour(t *slot) {
	if c.links.byPeer[t] != nil {
		return
	}
	if t.call == nil {
		t.call = &target{slot: t}
	}
	if t.want == wantTaken {
		if at := t.wantedAt + 2*time.Second; c.now() < at {
			soonest(&c.dials.dueAt, at)
			return
		}
	}
	c.dial(t.call, t.addr)
}

// dialSeeds tries the addresses at which no member lives that is up: all we have while we are alone, and later what discovery
// knows and we do not, such as the other half of a cluster that never met.
func (c *Core) dialSeeds() {
	d := &c.dials
	busy := 0
	for _, t := range d.seeds {
		if t.attempt != 0 {
			busy++
		}
	}
	for _, t := range d.seeds {
		if busy >= maxSeedDials {
			return // the end of one of them brings us back
		}
		if t.addr == c.cfg.Addr || c.covered(t) {
			continue
		}
		if c.dial(t, t.addr) {
			busy++
		}
	}
	if len(d.seeds) > 0 {
		soonest(&d.dueAt, c.now()+c.cfg.DialCap) // one that was covered may not be so any longer
	}
}

// covered tells whether a member that is up, or left, lives at the address of a seed.
func (c *Core) covered(t *target) bool {
	if t.slot != nil {
		return t.slot == c.self || t.slot.up || t.slot.left || c.links.byPeer[t.slot] != nil
	}
	for _, s := range c.store.slots {
		if s.up && s.addr == t.addr {
			return true
		}
	}
	return false
}

// dial starts a dial unless one is in flight or it is too early.
func (c *Core) dial(t *target, addr string) bool {
	d := &c.dials
	if t.attempt != 0 {
		return false
	}
	if c.now() < t.next {
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
	c.emit(Dial{ID: id, Addr: addr, Attempt: t.attempt})
	return true
}

// dialFailed decides a redial, and sets the backoff: doubling, spread over half to one and a half of itself.
func (c *Core) dialFailed(in DialFailed) {
	d := &c.dials
	t := d.inFlight[in.Attempt]
	if t == nil {
		return
	}
	delete(d.inFlight, in.Attempt)
	t.attempt = 0
	t.backoff = min(max(2*t.backoff, 250*time.Millisecond), c.cfg.DialCap)
	t.next = c.now() + t.backoff/2 + time.Duration(c.rng.Int64N(int64(t.backoff)))
	if t.lost {
		t.lost = false
		c.publishNow()
		c.ringSoon(true)
	}
	soonest(&d.dueAt, c.now())
}

// dialled ends the dial that brought a link and returns the place of the peer.
func (c *Core) dialled(in LinkUp, node NodeID) *slot {
	s := c.store.slot(node)
	if t := c.dials.inFlight[in.Attempt]; t != nil {
		delete(c.dials.inFlight, in.Attempt)
		t.attempt, t.backoff, t.next = 0, 0, 0
		if t.slot == nil {
			t.slot = s
		}
		if t.slot != s && t.lost { // somebody else lives there now
			t.lost = false
			c.publishNow()
		}
		soonest(&c.dials.dueAt, c.now())
	}
	if s.call != nil {
		s.call.lost, s.call.backoff = false, 0
	}
	return s
}

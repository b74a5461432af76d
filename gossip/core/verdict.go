package core

import "time"

// verdict is who is up: exactly those that can be reached from us over links that both ends publish. It is a function of the
// records, worked out anew after a change and never remembered, so there is nothing to refute and the first working link between
// two halves makes one cluster of them.
type verdict struct {
	up    int  // members that are up, we included
	news  bool // records changed since the view was last made
	dueAt time.Duration
	held  time.Duration // since when a verdict is held back; 0: none is
	queue []*slot       // scratch
	seen  []bool        // scratch, by index
}

func (v *verdict) reset(self *slot) {
	self.up = true
	v.up = 1
}

// relink takes note that the links in a record changed. New links can only add members and are followed at once; lost ones have
// all worked out anew, a little later since they come in groups.
func (c *Core) relink(t *slot, lost bool) {
	c.stale = true
	if lost {
		soonest(&c.judge.dueAt, c.now()+c.cfg.Coalesce)
	}
	for _, i := range t.linked {
		if p := c.store.slots[i]; p.up != t.up && p.publishes(t) {
			if t.up {
				c.grow(p)
			} else {
				c.grow(t)
			}
		}
	}
}

// grow adds a member and all that can be reached through it.
func (c *Core) grow(t *slot) {
	c.setUp(t, true)
	queue := append(c.judge.queue[:0], t)
	for len(queue) > 0 {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range t.linked {
			if p := c.store.slots[i]; !p.up && p.publishes(t) {
				c.setUp(p, true)
				queue = append(queue, p)
			}
		}
	}
	c.judge.queue = queue
}

func (c *Core) setUp(t *slot, up bool) {
	if t.up == up {
		return
	}
	t.up = up
	c.stale = true
	c.emit(Judged{ID: t.rec.id, Up: up})
	if up {
		c.judge.up++
		c.ringSoon(false)
		return
	}
	c.judge.up--
	c.ringSoon(true)
}

// judgeDue works out the verdict. If it takes away more than half of the members, it may be we who are cut off or slow, so it is
// held back for Config.Hold and worked out again (Lifeguard's suspicion of oneself, without a score).
func (c *Core) judgeDue() {
	v, now := &c.judge, c.now()
	if v.dueAt == 0 || now < v.dueAt {
		return
	}
	v.dueAt = 0
	n := c.reach()
	if 2*n < v.up {
		if v.held == 0 {
			v.held = max(1, now)
		}
		if now-v.held < c.cfg.Hold {
			v.dueAt = now + max(c.cfg.Coalesce, c.cfg.Hold/8)
			return
		}
	}
	v.held = 0
	before := v.up
	for _, t := range c.store.slots {
		if t.rec != nil {
			c.setUp(t, v.seen[t.index])
		}
	}
	if v.up < before {
		c.hurry()
		if c.links.publishAt != 0 {
			c.publishNow()
		}
	}
}

// reach marks in seen all that can be reached, and counts them.
func (c *Core) reach() int {
	v := &c.judge
	if len(v.seen) < len(c.store.slots) {
		v.seen = make([]bool, 2*len(c.store.slots))
	}
	clear(v.seen)
	v.seen[c.self.index] = true
	queue, n := append(v.queue[:0], c.self), 1
	for len(queue) > 0 {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range t.linked {
			if p := c.store.slots[i]; !v.seen[i] && p.publishes(t) {
				v.seen[i] = true
				n++
				queue = append(queue, p)
			}
		}
	}
	v.queue = queue
	return n
}

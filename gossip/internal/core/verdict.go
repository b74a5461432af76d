package core

import "time"

// verdict is which members are up: exactly those that can be reached from us over links that both ends publish. It is a function of the
// records, worked out again after a change and never remembered, so there is nothing to refute and the first working link between
// two halves makes one cluster of them.
type verdict struct {
	up      int // members that are up, we included
	dueAt   time.Duration
	lostAt  time.Duration // when the first link was lost that no verdict has counted yet; 0: there is none
	last    time.Duration // when it was last worked out
	held    time.Duration // since when a verdict is held back; 0: none is
	reached int           // members that could be reached when that was last worked out
	doubts  []*slot       // members that are doubted, or were
	queue   []*slot       // scratch
	seen    []bool        // scratch, by index
}

// reset makes this node alone up: the verdict before anything was heard.
func (v *verdict) reset(self *slot) {
	self.up = true
	v.up = 1
}

// relink takes note that the links in a record changed. New links can only add members and are followed at once; lost ones have
// all worked out again, a little later since they come in groups.
func (c *Core) relink(t *slot, lost bool) {
	c.stale = true
	if lost {
		c.judgeSoon()
	}
	// Only a link between a member that is up and one that is not makes more members reachable. Two that are down stay so.
	for _, p := range t.peers {
		if p.up != t.up {
			if t.up {
				c.markReachable(p)
			} else {
				c.markReachable(t)
			}
		}
	}
}

// judgeSoon has the verdict worked out again, since a link was lost.
func (c *Core) judgeSoon() {
	v, now := &c.judge, c.now()
	if v.lostAt == 0 {
		v.lostAt = max(1, now)
	}
	// A node that is behind waits longer: more losses are on their way, and one pass over the records counts them all.
	soonest(&v.dueAt, max(now+c.patiently(c.cfg.Coalesce), v.last+8*c.load.lag))
}

// markReachable sets up a member and all that can be reached through it.
func (c *Core) markReachable(t *slot) {
	c.setUp(t, true)
	queue := append(c.judge.queue[:0], t)
	for len(queue) > 0 {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, p := range t.peers {
			if !p.up {
				c.setUp(p, true)
				queue = append(queue, p)
			}
		}
	}
	c.judge.queue = queue
}

// setUp notes that a member is up, or no longer, and reports it. The age of one that falls counts from this moment on.
func (c *Core) setUp(t *slot, up bool) {
	if t.up == up {
		return
	}
	sure, back := c.isSure(t), up && t.seen != 0 && c.age(t) > c.cutTime()
	t.up, t.missed, t.doubted = up, 0, false
	delete(c.store.drops, t)
	if up {
		t.risen = c.now()
	}
	// A member that falls was up until now, unless its rise was not sure. One that rises for the first time needs a moment from
	// which its age counts.
	if up && t.seen == 0 || !up && sure {
		c.sawMember(t, 0)
	}
	if back {
		c.doubt(t)
	}
	c.ripen(t)
	c.rememberMember(t)
	c.stale = true
	c.store.touch(t)
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
	v.dueAt, v.last = 0, now
	n := c.countReachable()
	if 2*n < v.up {
		if v.held == 0 {
			v.held = max(1, now)
		}
		if n != v.reached { // hold together with those that are left
			c.ringSoon(true)
		}
		v.reached = n
		if now-v.held < c.cfg.Hold {
			v.dueAt = now + max(c.cfg.Coalesce, c.cfg.Hold/8)
			return
		}
	}
	held := v.held != 0 && now-v.held >= c.cfg.Hold
	v.held = 0
	lost := false
	for _, t := range c.store.slots {
		switch {
		case t.rec == nil:
		case v.seen[t.index]:
			t.missed = 0
			c.setUp(t, true)
		case t.up:
			lost = true
			if c.inGrace(t, held) {
				soonest(&v.dueAt, now+max(c.cfg.Coalesce, c.cfg.Hold/8))
				continue
			}
			c.setUp(t, false)
		}
	}
	v.lostAt = 0 // not before: a member that rose since and falls here was never up
	if lost {
		c.flushNow()
		if c.links.publishAt != 0 {
			c.publishNow()
		}
	}
}

// inGrace reports whether a member that cannot be reached any more stays up for a moment, Config.Hold at most: one that no member that can
// be reached has taken back its link to of late. When it is gone itself, the members that had a link to it do; when it is not, all between it and this
// node are gone, as when most of a side of a cut was on the other one, and it is dialled. What was held back for Config.Hold was given
// that time, unless the member is so new that most of its links are not published yet.
func (c *Core) inGrace(t *slot, held bool) bool {
	now := c.now()
	if t.left || held && now-t.risen > 6*c.cfg.Relax || c.isDropped(t) {
		return false
	}
	if t.missed == 0 {
		t.missed = max(1, now)
		if !c.isSure(t) {
			c.doubt(t)
		}
		c.ringSoon(true)
	}
	return now-t.missed < c.cfg.Hold
}

// isReached reports whether a member is up and not merely in its grace time.
func (s *slot) isReached() bool { return s.up && s.missed == 0 }

// countReachable marks in seen all that can be reached, and counts them.
func (c *Core) countReachable() int {
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
		for _, p := range t.peers {
			if !v.seen[p.index] {
				v.seen[p.index] = true
				n++
				queue = append(queue, p)
			}
		}
	}
	v.queue = queue
	return n
}

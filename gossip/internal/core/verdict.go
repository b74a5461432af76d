package core

import "time"

// verdict is which members are up: exactly those that can be reached from us over links that both ends publish. It is a function of the
// records, worked out again after a change and never remembered, so there is nothing to refute and the first working link between
// two halves makes one cluster of them.
type verdict struct {
	*host
	store      *store
	links      *links
	ring       *rings
	flood      *flood
	forgetting *forgetting

	up      int // members that are up, we included
	dueAt   time.Duration
	lostAt  time.Duration // when the first link was lost that no verdict has counted yet; 0: there is none
	last    time.Duration // when it was last worked out
	held    time.Duration // since when a verdict is held back; 0: none is
	reached int           // members that could be reached when that was last worked out
	doubts  []*slot       // members that are doubted, or were
	queue   []*slot       // scratch

	// seen is what the last pass reached, by index. isNear and isDropped read it until the next pass, so places must keep their index
	// while a verdict is held back: see giveBackPlaces.
	seen []bool
}

// reset makes this node alone up: the verdict before anything was heard.
func (v *verdict) reset(self *slot) {
	self.up = true
	v.up = 1
}

// relink takes note that the links in a record changed. New links can only add members and are followed at once; lost ones have
// all worked out again, a little later since they come in groups.
func (v *verdict) relink(t *slot, lost bool) {
	v.stale = true
	if lost {
		v.soon()
	}
	// Only a link between a member that is up and one that is not makes more members reachable. Two that are down stay so.
	for _, p := range t.peers {
		if p.up != t.up {
			if t.up {
				v.markReachable(p)
			} else {
				v.markReachable(t)
			}
		}
	}
}

// soon has the verdict worked out again, since a link was lost.
func (v *verdict) soon() {
	now := v.now()
	if v.lostAt == 0 {
		v.lostAt = max(1, now)
	}
	// A node that is behind waits longer: more losses are on their way, and one pass over the records counts them all.
	soonest(&v.dueAt, max(now+v.patiently(v.cfg.Coalesce), v.last+8*v.load.lag))
}

// seenOf returns when a member was last up, 0 if it is up here for sure.
func (v *verdict) seenOf(t *slot) Moment {
	if t.up && !t.left && v.isSure(t) {
		return 0
	}
	return t.seen
}

// markReachable sets up a member and all that can be reached through it.
func (v *verdict) markReachable(t *slot) {
	v.setUp(t, true)
	queue := append(v.queue[:0], t)
	for len(queue) > 0 {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, p := range t.peers {
			if !p.up {
				v.setUp(p, true)
				queue = append(queue, p)
			}
		}
	}
	v.queue = queue
}

// setUp notes that a member is up, or no longer, and reports it. The age of one that falls counts from this moment on.
func (v *verdict) setUp(t *slot, up bool) {
	if t.up == up {
		return
	}
	sure, back := v.isSure(t), up && t.seen != 0 && v.forgetting.age(t) > v.forgetting.cutTime()
	t.up, t.missed, t.doubted = up, 0, false
	delete(v.store.drops, t)
	if up {
		t.risen = v.now()
	}
	// A member that falls was up until now, unless its rise was not sure. One that rises for the first time needs a moment from
	// which its age counts.
	if up && t.seen == 0 || !up && sure {
		v.forgetting.saw(t, 0)
	}
	if back {
		v.doubt(t)
	}
	v.forgetting.ripen(t)
	v.forgetting.keep(t)
	v.stale = true
	v.store.touch(t)
	v.emit(Judged{ID: t.rec.id, Up: up})
	if up {
		v.up++
		v.ring.soon(false)
		return
	}
	v.up--
	v.ring.soon(true)
}

// work decides which members are up, if that is due. If it takes away more than half of the members, it may be we who are cut off or slow, so it is
// held back for Config.Hold and worked out again (Lifeguard's suspicion of oneself, without a score).
func (v *verdict) work() {
	now := v.now()
	if v.dueAt == 0 || now < v.dueAt {
		return
	}
	v.dueAt, v.last = 0, now
	n := v.countReachable()
	if 2*n < v.up {
		if v.held == 0 {
			v.held = max(1, now)
		}
		if n != v.reached { // hold together with those that are left
			v.ring.soon(true)
		}
		v.reached = n
		if now-v.held < v.cfg.Hold { // looked at some eight times: when enough are back, nothing was lost
			v.dueAt = now + max(v.cfg.Coalesce, v.cfg.Hold/8)
			return
		}
	}
	held := v.held != 0 && now-v.held >= v.cfg.Hold
	v.held = 0
	lost := false
	for _, t := range v.store.slots {
		switch {
		case t.rec == nil:
		case v.seen[t.index]:
			t.missed = 0
			v.setUp(t, true)
		case t.up:
			lost = true
			if v.inGrace(t, held) {
				soonest(&v.dueAt, now+max(v.cfg.Coalesce, v.cfg.Hold/8))
				continue
			}
			v.setUp(t, false)
		}
	}
	v.lostAt = 0 // not before: a member that rose since and falls here was never up
	if lost {
		v.flood.hurry()
		if v.links.publishAt != 0 {
			v.links.publishNow()
		}
	}
}

// inGrace reports whether a member that cannot be reached any more stays up for a moment, Config.Hold at most: one that no member that can
// be reached has taken back its link to of late. When it is gone itself, the members that had a link to it do; when it is not, all between it and this
// node are gone, as when most of a side of a cut was on the other one, and it is dialled. What was held back for Config.Hold was given
// that time, unless the member is so new that most of its links are not published yet.
func (v *verdict) inGrace(t *slot, held bool) bool {
	now := v.now()
	if t.left || held && now-t.risen > 6*v.cfg.Relax || v.isDropped(t) {
		return false
	}
	if t.missed == 0 {
		t.missed = max(1, now)
		if !v.isSure(t) {
			v.doubt(t)
		}
		v.ring.soon(true)
	}
	return now-t.missed < v.cfg.Hold
}

// isReached reports whether a member is up and not merely in its grace time.
func (s *slot) isReached() bool { return s.up && s.missed == 0 }

// countReachable marks in seen all that can be reached, and counts them.
func (v *verdict) countReachable() int {

	if len(v.seen) < len(v.store.slots) {
		v.seen = make([]bool, 2*len(v.store.slots))
	}
	clear(v.seen)
	v.seen[v.self.index] = true
	queue, n := append(v.queue[:0], v.self), 1
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

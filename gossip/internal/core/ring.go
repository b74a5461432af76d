package core

import (
	"cmp"
	"slices"
	"time"
)

// want is why a node is on the list of those we want a link to.
type want uint8

const (
	wantNone  want = iota
	wantTaken      // it is our predecessor: it dials
	wantDial       // we dial
)

// rings is the overlay: on each of K rings the members that are up are ordered by a hash of (ring, ID), and a node holds links
// to its successor and its predecessor on each. A graph of K random rings is connected and stays so when many nodes die at
// once (Law and Siu, "Distributed construction of random expander networks", INFOCOM 2003; HyParView keeps such an
// overlay by shuffling, we need no shuffle since we know all members).
//
// In addition one unreachable member per ring between us and our successor is called, another one every DialCap: all of
// them are called by some node, no node calls many, and this is all the healing there is.
type rings struct {
	*host
	store *store
	links *links
	judge *verdict
	dials *dialler

	list   []*slot // those wanted now, ascending by index
	dueAt  time.Duration
	lostAt time.Duration // when they are due for a link that was lost; 0: none was
	first  time.Duration // when the first of the changes waiting came; 0: none waits
	last   time.Duration // when the last of them came
	turnAt time.Duration // when the unreachable ones take turns
}

// soon has the neighbours worked out again: at once if a link was lost; otherwise when nothing has changed for half a second,
// or after two, since neighbours chosen in the middle of a join storm are gone with the next record.
func (r *rings) soon(lost bool) {
	now := r.now()
	if lost {
		soonest(&r.lostAt, now+r.patiently(0))
		soonest(&r.dueAt, r.lostAt)
		return
	}
	r.last = now
	if r.first == 0 {
		r.first = max(1, now)
	}
	if r.dueAt == 0 || r.dueAt > now { // do not put off what is due
		r.dueAt = max(1, r.calmAt(0))
	}
}

// calmAt is when the neighbours are to be worked out after changes: later if this node or a neighbour is behind, since more of them are
// on their way.
func (r *rings) calmAt(strain time.Duration) time.Duration {
	at := min(r.last+500*time.Millisecond+4*strain, r.first+2*time.Second+8*strain)
	if r.lostAt != 0 {
		at = min(at, r.lostAt)
	}
	return at
}

// work chooses the neighbours if that is due: after a change, and every Config.DialCap, when other unreachable members take their turn. A
// node under strain waits for calm, since each pass goes over all members and more changes are on their way; a lost link does not wait.
func (r *rings) work() {
	now := r.now()
	if now >= r.turnAt {
		r.turnAt = now + r.cfg.DialCap
		soonest(&r.dueAt, now)
	}
	if r.dueAt == 0 || now < r.dueAt {
		return
	}
	if strain := r.links.strain(); strain > 0 && r.first != 0 {
		if at := r.calmAt(strain); now < at {
			r.dueAt = at
			return
		}
	}
	r.dueAt, r.lostAt, r.first = 0, 0, 0
	r.rewire(r.neighbours())
	soonest(&r.dueAt, r.turnAt)
	soonest(&r.dials.dueAt, now)
}

// rewire makes the nodes given the wanted ones.
func (r *rings) rewire(next map[*slot]want) {
	now := r.now()
	for _, t := range r.list {
		if next[t] == wantNone {
			t.want = wantNone
		}
	}
	r.list = r.list[:0]
	for t, w := range next {
		if t.want == wantNone {
			t.target().wantedAt = now
		}
		t.want = w
		r.list = append(r.list, t)
	}
	// In the order of the slots and not of the map: equal inputs must give equal outputs.
	slices.SortFunc(r.list, func(a, b *slot) int { return cmp.Compare(a.index, b.index) })
	for _, l := range r.links.list {
		if w := l.peer.want != wantNone; w != l.wanted {
			l.wanted = w
			r.links.beat(l)
		}
	}
}

// neighbours returns the nodes we want a link to: up to 2K+1 members all of them, beyond that those next to us on the rings. The
// predecessor dials, and the lower ID where each precedes the other.
func (r *rings) neighbours() map[*slot]want {
	next := map[*slot]want{}
	few := r.countNear() <= 2*r.cfg.Rings+1
	if few {
		r.fullMesh(next)
	}
	preds := map[*slot]bool{}
	for i := range r.cfg.Rings {
		succ, pred := r.adjacent(i)
		if succ != nil && !few {
			next[succ] = wantDial
			preds[pred] = true
		}
		for _, t := range r.unreachable(i, succ) {
			next[t] = wantDial
		}
	}
	for t := range preds {
		if next[t] == wantNone || t.node < r.self.node {
			next[t] = wantTaken
		}
	}
	return next
}

// isNear reports whether a member counts for the rings: it is up and, while a verdict against most members is held back, it can be
// reached. Else the smaller side of a cut would go on to wait for links to the other side, instead of holding together.
func (r *rings) isNear(t *slot) bool {
	return t.up && !t.left && (r.judge.held == 0 || int(t.index) < len(r.judge.seen) && r.judge.seen[t.index])
}

// countNear is the number of members that count for the rings, this node included.
func (r *rings) countNear() int {
	if r.judge.held != 0 {
		return r.judge.reached
	}
	return r.judge.up
}

// fullMesh makes a small cluster a full mesh: the lower ID dials.
func (r *rings) fullMesh(next map[*slot]want) {
	for _, t := range r.store.slots {
		if t != r.self && r.isNear(t) {
			next[t] = wantTaken
			if r.self.node < t.node {
				next[t] = wantDial
			}
		}
	}
}

// ringPlace is the place of this node on a ring; places are hashes of ring and node.
type ringPlace struct{ salt, own uint64 }

// place returns the place of this node on a ring. The salt makes the rings independent of each other: neighbours on one of them are
// far apart on the next, which is what keeps the graph connected when many die.
func (r *rings) place(ring int) ringPlace {
	salt := mix(uint64(ring) + 1)
	return ringPlace{salt, mix(uint64(r.self.node) ^ salt)}
}

// distance is how far a node is from this one on the ring.
func (p ringPlace) distance(t *slot) uint64 { return mix(uint64(t.node)^p.salt) - p.own }

// adjacent returns the members next to us on a ring; places count from ours, so the successor has the smallest.
func (r *rings) adjacent(ring int) (succ, pred *slot) {
	var lo, hi uint64
	place := r.place(ring)
	for _, t := range r.store.slots {
		if t == r.self || !r.isNear(t) {
			continue
		}
		d := place.distance(t)
		if succ == nil || d < lo {
			succ, lo = t, d
		}
		if pred == nil || d > hi {
			pred, hi = t, d
		}
	}
	return succ, pred
}

// heldDials is how many unreachable members are called on a ring while a verdict against most members is held back. A member whose
// neighbours are all on the other side of a cut has to find one on its own side in that time: with 16 calls it does so in 99 of 100
// cases if its side has a quarter of the members.
const heldDials = 4

// unreachable returns the members to call between us and our successor on a ring: one, in turn.
func (r *rings) unreachable(ring int, succ *slot) []*slot {
	var all []*slot
	place, end := r.place(ring), ^uint64(0)
	if succ != nil {
		end = place.distance(succ)
	}
	for _, t := range r.store.slots {
		if t.rec == nil || r.isNear(t) && t.missed == 0 || t.left || t == r.self || t.addr == "" {
			continue
		}
		if place.distance(t) < end {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return nil
	}
	turn := int(r.now()/r.cfg.DialCap) + ring
	if r.judge.held == 0 {
		return all[turn%len(all):][:1]
	}
	var some []*slot
	for i := range min(heldDials, len(all)) {
		some = append(some, all[(turn+i*len(all)/heldDials)%len(all)])
	}
	return some
}

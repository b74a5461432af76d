package core

import (
	"maps"
	"slices"
	"time"
)

// forgetting drops members that are gone. They are forgotten by age: when a member ceases to be up, every node notes the moment by cluster time, the latest moment that
// any node knows travels with its record, and a record that is older than Config.ForgetAfter is dropped by each node for itself. No
// statement about a member travels that could reach members that are alive: a member that is up has no age. (Chitchat drops dead nodes in the
// same way, by time since death that each node counts for itself; Cassandra needs a status, "removed", that spreads.)
//
// When the last moment that a member was up comes to be known, its record may be everywhere already, so it would not travel. After
// ripeAfter it is therefore part of the record: of its hash, and of what digests compare (ripen). It is rounded, so that
// the moments that nodes note for one end are mostly one, and all that forgetting depends on is the same at all nodes before it is due.
//
// A node does not forget a member when those that ceased to be up together with it, as by one cut, are as many as those that are up, it
// included: then it may be the one that is cut off, and the addresses that it remembers are its way back. Which members ceased together
// is derived from what travels with the records and not from which are due at one tick, so that all nodes keep the same members. Members that left are
// forgotten in any case.
type forgetting struct {
	*host
	store   *store
	links   *links
	cluster *clusterClock
	judge   *verdict
	flood   *flood
	dials   *dialler

	forgotten  map[NodeID]forgottenLife
	forgetAt   time.Duration // when members are looked at next
	giveBackAt time.Duration // when places without a record are given back next
}

// saw records when a member was last up to a peer; 0 is now, and so is a moment that has not come yet by our cluster time.
func (f *forgetting) saw(t *slot, seen Moment) {
	now := f.cluster.moment()
	if seen == 0 || seen > now {
		seen = now
	}
	t.seen = max(t.seen, seen)
	f.ripen(t)
}

// keep has what a shell keeps of a member written again. It is once more if the member falls, so that being sure does not
// matter.
func (f *forgetting) keep(t *slot) {
	seen := t.seen
	if t.up && !t.left {
		seen = 0
	}
	f.emit(Remember{ID: t.rec.id, Addr: t.addr, Generation: t.rec.generation, Seen: seen})
}

// age is for how long a member has not been up, or has left; 0 if it is up.
func (f *forgetting) age(t *slot) time.Duration {
	if t.up && !t.left {
		return 0
	}
	return max(0, f.cluster.moment().Sub(t.seen))
}

// work forgets the members that have been gone for Config.ForgetAfter.
func (f *forgetting) work() {
	now := f.now()
	if f.cfg.ForgetAfter == 0 || now < f.forgetAt {
		return
	}
	tick := f.tick()
	f.forgetAt = now + f.ripenDue(tick)
	maps.DeleteFunc(f.forgotten, func(_ NodeID, f forgottenLife) bool { return now >= f.until })
	due, down := f.aged()
	for _, t := range due {
		if t.left || cutOffWith(down, t.gone, f.cutTime()) < f.judge.up {
			f.forgetLife(t, now+10*tick) // the ticks of other nodes come at other moments
		}
	}
}

// aged returns the members that have been gone for Config.ForgetAfter, and if there are any, in ascending order when each member that is
// down was last up, rounded, with those that were forgotten a moment ago: when a node that keeps members of one cut gives them back one after the
// other, they count together.
func (f *forgetting) aged() (due []*slot, down []Moment) {
	for _, t := range f.store.slots {
		if t.gone != 0 && f.isGone(t) && f.links.byPeer[t] == nil && f.cluster.moment().Sub(t.gone) >= f.cfg.ForgetAfter {
			due = append(due, t)
		}
	}
	if len(due) == 0 {
		return nil, nil
	}
	for _, t := range f.store.slots {
		if f.isGone(t) && !t.left {
			down = append(down, f.roundUp(t.seen))
		}
	}
	for n, life := range f.forgotten {
		if t := f.store.byNode[n]; life.seen != 0 && (t == nil || t.rec == nil) {
			down = append(down, f.roundUp(life.seen))
		}
	}
	slices.Sort(down)
	return due, down
}

// isGone reports whether a member other than this node is down, or left.
func (f *forgetting) isGone(t *slot) bool { return t.rec != nil && t != f.self && (!t.up || t.left) }

// cutOffWith returns how many of the sorted moments are within a time of one of them.
func cutOffWith(down []Moment, at Moment, within time.Duration) int {
	first, _ := slices.BinarySearch(down, at.Add(-within))
	end, _ := slices.BinarySearch(down, at.Add(within)+1)
	return end - first
}

// cutTime is how far apart the moments are at most that different nodes note for the members on the other side of one cut: a link is
// closed after three times Config.Silence at the latest. A tick at least.
func (f *forgetting) cutTime() time.Duration { return max(f.tick(), 4*f.cfg.Silence) }

// tick is how often members are looked at that may be forgotten.
func (f *forgetting) tick() time.Duration { return min(f.cfg.ForgetAfter/16, time.Minute) }

// isNearlyDue reports whether a member that was last up at a moment is forgotten now, or within two ticks.
func (f *forgetting) isNearlyDue(seen Moment) bool {
	return f.cluster.moment().Sub(seen) >= f.cfg.ForgetAfter-2*f.tick()
}

// forgottenLife is a life that was forgotten a moment ago. Others forget it a moment later, and must not give it back meanwhile,
// unless they saw it up for longer.
type forgottenLife struct {
	generation uint64
	seen       Moment // when it was last up; 0: it left
	until      time.Duration
}

// forgetLife forgets a member, and remembers which life was forgotten: a neighbour that has not forgotten it yet must not bring it back.
// When as many lives are remembered as members are allowed, that is left out; then the member may return with the record of a neighbour,
// and is forgotten again by its age.
func (f *forgetting) forgetLife(t *slot, until time.Duration) {
	if len(f.forgotten) < f.cfg.Limits.Members {
		life := forgottenLife{t.rec.generation, t.seen, until}
		if t.left {
			life.seen = 0
		}
		f.forgotten[t.node] = life
	}
	f.drop(t)
}

// drop drops the record of a member that is not up.
func (f *forgetting) drop(t *slot) {
	if t.call != nil {
		t.call.lost = false
	}
	f.judge.setUp(t, false)
	f.flood.forget(t)
	f.emit(Forget{ID: t.rec.id})
	f.store.drop(t)
	f.stale = true
	f.judge.soon()
}

package core

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Members are forgotten by age. When a member ceases to be up, every node notes the moment by cluster time, the latest moment that
// any node knows travels with its record, and a record that is older than Config.ForgetAfter is dropped by each node for itself. No
// statement about a member travels that could reach members that are alive: a member that is up has no age. (Chitchat drops dead nodes in the
// same way, by time since death that each node counts for itself; Cassandra needs a status, "removed", that spreads.)
//
// When the last moment that a member was up comes to be known, its record may be everywhere already, so it would not travel. From half of
// Config.ForgetAfter on it is therefore part of the record: of its hash, and of what digests compare (ripen). It is rounded, so that
// the moments that nodes note for one end are mostly one, and all that forgetting depends on is the same at all nodes before it is due.
//
// A node does not forget a member when those that ceased to be up together with it, as by one cut, are as many as those that are up, it
// included: then it may be the one that is cut off, and the addresses that it remembers are its way back. Which members ceased together
// is derived from what travels with the records and not from which are due at one tick, so that all nodes keep the same members. Members that left are
// forgotten in any case.

// seenOf returns when a member was last up, 0 if it is up here for sure.
func (c *Core) seenOf(t *slot) Moment {
	if t.up && !t.left && c.isSure(t) {
		return 0
	}
	return t.seen
}

// sawMember records when a member was last up to a peer; 0 is now, and so is a moment that has not come yet by our cluster time.
func (c *Core) sawMember(t *slot, seen Moment) {
	now := c.clusterTime()
	if seen == 0 || seen > now {
		seen = now
	}
	t.seen = max(t.seen, seen)
	c.ripen(t)
}

// rememberMember has what a shell keeps of a member written again. It is once more if the member falls, so that being sure does not
// matter.
func (c *Core) rememberMember(t *slot) {
	seen := t.seen
	if t.up && !t.left {
		seen = 0
	}
	c.emit(Remember{ID: t.rec.id, Addr: t.addr, Generation: t.rec.generation, Seen: seen})
}

// age is for how long a member has not been up, or has left; 0 if it is up.
func (c *Core) age(t *slot) time.Duration {
	if t.up && !t.left {
		return 0
	}
	return max(0, c.clusterTime().Sub(t.seen))
}

// forgetDue forgets the members that have been gone for Config.ForgetAfter.
func (c *Core) forgetDue() {
	now := c.now()
	if c.cfg.ForgetAfter == 0 || now < c.forgetAt {
		return
	}
	tick := c.forgetTick()
	c.forgetAt = now + c.ripenDue(tick)
	maps.DeleteFunc(c.forgotten, func(_ NodeID, f forgottenLife) bool { return now >= f.until })
	due, down := c.agedMembers()
	for _, t := range due {
		if t.left || cutOffWith(down, t.gone, c.cutTime()) < c.judge.up {
			c.forgetLife(t, now+10*tick) // the ticks of other nodes come at other moments
		}
	}
}

// agedMembers returns the members that have been gone for Config.ForgetAfter, and if there are any, in ascending order when each member that is
// down was last up, rounded, with those that were forgotten a moment ago: when a node that keeps members of one cut gives them back one after the
// other, they count together.
func (c *Core) agedMembers() (due []*slot, down []Moment) {
	for _, t := range c.store.slots {
		if t.gone != 0 && c.isGone(t) && c.links.byPeer[t] == nil && c.clusterTime().Sub(t.gone) >= c.cfg.ForgetAfter {
			due = append(due, t)
		}
	}
	if len(due) == 0 {
		return nil, nil
	}
	for _, t := range c.store.slots {
		if c.isGone(t) && !t.left {
			down = append(down, c.roundUp(t.seen))
		}
	}
	for n, f := range c.forgotten {
		if t := c.store.byNode[n]; f.seen != 0 && (t == nil || t.rec == nil) {
			down = append(down, c.roundUp(f.seen))
		}
	}
	slices.Sort(down)
	return due, down
}

// isGone reports whether a member other than this node is down, or left.
func (c *Core) isGone(t *slot) bool { return t.rec != nil && t != c.self && (!t.up || t.left) }

// cutOffWith returns how many of the sorted moments are within a time of one of them.
func cutOffWith(down []Moment, at Moment, within time.Duration) int {
	first, _ := slices.BinarySearch(down, at.Add(-within))
	end, _ := slices.BinarySearch(down, at.Add(within)+1)
	return end - first
}

// cutTime is how far apart the moments are at most that different nodes note for the members on the other side of one cut: a link is
// closed after three times Config.Silence at the latest. A tick at least.
func (c *Core) cutTime() time.Duration { return max(c.forgetTick(), 4*c.cfg.Silence) }

// forgetTick is how often members are looked at that may be forgotten.
func (c *Core) forgetTick() time.Duration { return min(c.cfg.ForgetAfter/16, time.Minute) }

// isNearlyDue reports whether a member that was last up at a moment is forgotten now, or within two ticks.
func (c *Core) isNearlyDue(seen Moment) bool {
	return c.clusterTime().Sub(seen) >= c.cfg.ForgetAfter-2*c.forgetTick()
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
func (c *Core) forgetLife(t *slot, until time.Duration) {
	if len(c.forgotten) < c.cfg.Limits.Members {
		life := forgottenLife{t.rec.generation, t.seen, until}
		if t.left {
			life.seen = 0
		}
		c.forgotten[t.node] = life
	}
	c.forgetMember(t)
}

// giveBackDue gives back the places of nodes that have no record, no link and no dial, once in a while, or at once if there are many.
func (c *Core) giveBackDue() {
	spare := len(c.store.slots) - c.store.known
	if c.now() < c.giveBackAt && spare < min(c.store.known+maxSpare, c.cfg.Limits.Members) {
		return
	}
	c.giveBackAt = c.now() + 60*c.cfg.Heartbeat
	if spare == 0 || c.judge.held != 0 { // a verdict that is held back remembers places
		return
	}
	dialled := map[*slot]bool{}
	for _, t := range c.dials.inFlight {
		dialled[t.slot] = true
	}
	draining := map[*slot]bool{}
	for _, l := range c.links.removed {
		draining[l.peer] = true
	}
	c.store.giveBack(func(t *slot) bool {
		return c.links.byPeer[t] != nil || dialled[t] || draining[t] || t.want != wantNone
	})
}

// maxSpare is the number of places without a record from which on they are given back at once.
const maxSpare = 64

// forgetMember drops the record of a member that is not up.
func (c *Core) forgetMember(t *slot) {
	if t.call != nil {
		t.call.lost = false
	}
	c.setUp(t, false)
	c.flood.forget(t)
	c.emit(Forget{ID: t.rec.id})
	c.store.drop(t)
	c.stale = true
	c.judgeSoon()
}

// quietly is the reason for which a record is turned away that is no fault of the peer.
const quietly = "quietly"

// turnsAway returns why a delta is not to be merged, "" if it is: its member was removed or was forgotten a moment ago, its generation is
// beyond all clocks, or the table is full.
func (c *Core) turnsAway(d *RecordDelta) string {
	t := c.store.byNode[d.Node]
	known := t != nil && t.rec != nil
	id := d.ID
	if id == "" && known {
		id = t.rec.id
	}
	switch {
	case c.beyondClocks(d.Generation):
		return "generation is far beyond all clocks"
	case id != "" && c.isBanned(id):
		return quietly
	case known:
		return ""
	case d.Seen != 0 && d.Generation <= c.forgotten[d.Node].generation && c.isNearlyDue(d.Seen):
		return quietly
	case d.From == 0 && !c.makeRoom(d.Node, d.Generation, d.Seen):
		return ReasonFull
	}
	return ""
}

// ReasonFull is the reason of a [Rejected] for a member that does not fit into the table.
const ReasonFull = "too many members"

// makeRoom reports whether there is room for the record of one more member, and makes it if the table is full. All nodes follow one
// rule, so that they keep the same members: those that left go first, then those that are gone for the longest; among those that are
// up the ones that started last stay outside.
func (c *Core) makeRoom(n NodeID, generation uint64, seen Moment) bool {
	if c.store.admits() {
		return true
	}
	newcomer := rank{up: seen == 0, seen: seen, generation: generation, node: n}
	var last *slot
	lowest := newcomer
	for _, t := range c.store.slots {
		if t.rec == nil || t == c.self {
			continue
		}
		if r := c.rank(t); r.compare(lowest) < 0 {
			last, lowest = t, r
		}
	}
	if last == nil {
		return false
	}
	c.evict(last)
	return c.store.admits()
}

// evict drops the record of a member and the link to it, for one that ranks higher.
func (c *Core) evict(t *slot) {
	if l := c.links.byPeer[t]; l != nil {
		c.dropLink(l)
		c.send(l, &Bye{Reason: ByeFull})
		c.emit(Close{Link: l.id, Graceful: true})
		c.publishNow()
	}
	c.forgetMember(t)
}

// rank orders members for a full table: the first ones are kept.
type rank struct {
	up, left   bool
	seen       Moment
	generation uint64
	node       NodeID
}

// rank returns the place of a member in that order.
func (c *Core) rank(t *slot) rank {
	return rank{up: !t.left && c.age(t) < settledAfter*c.cfg.Heartbeat, left: t.left, seen: c.seenOf(t), generation: t.rec.generation, node: t.node}
}

// settledAfter is for how many heartbeats a member must not have been up to count as gone in a full table: that a newcomer is up
// shows a moment after its record.
const settledAfter = 5

// compare is negative if r is dropped before o.
func (r rank) compare(o rank) int {
	switch {
	case r.up != o.up:
		return compareBool(r.up, o.up)
	case r.up: // the member that started first stays
		return cmp.Or(cmp.Compare(o.generation, r.generation), cmp.Compare(o.node, r.node))
	}
	return cmp.Or(compareBool(o.left, r.left), cmp.Compare(r.seen, o.seen), cmp.Compare(r.node, o.node))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

package core

import "cmp"

// makeRoom reports whether there is room for the record of one more member, and makes it if the table is full. All nodes follow one
// rule, so that they keep the same members: those that left go first, then those that are gone for the longest; among those that are
// up the ones that started last stay outside.
func (f *forgetting) makeRoom(n NodeID, generation uint64, seen Moment) bool {
	if f.store.admits() {
		return true
	}
	newcomer := rank{up: seen == 0, seen: seen, generation: generation, node: n}
	var last *slot
	lowest := newcomer
	for _, t := range f.store.slots {
		if t.rec == nil || t == f.self {
			continue
		}
		if r := f.rank(t); r.compare(lowest) < 0 {
			last, lowest = t, r
		}
	}
	if last == nil {
		return false
	}
	f.evict(last)
	return f.store.admits()
}

// ReasonFull is the reason of a [Rejected] for a member that does not fit into the table.
const ReasonFull = "too many members"

// evict drops the record of a member and the link to it, for one that ranks higher.
func (f *forgetting) evict(t *slot) {
	if l := f.links.byPeer[t]; l != nil {
		f.links.drop(l)
		f.send(l, &Bye{Reason: ByeFull})
		f.emit(Close{Link: l.id, Graceful: true})
		f.links.publishNow()
	}
	f.drop(t)
}

// rank orders members for a full table: the first ones are kept.
type rank struct {
	up, left   bool
	seen       Moment
	generation uint64
	node       NodeID
}

// rank returns the place of a member in that order.
func (f *forgetting) rank(t *slot) rank {
	return rank{up: !t.left && f.age(t) < settledAfter*f.cfg.Heartbeat, left: t.left, seen: f.judge.seenOf(t), generation: t.rec.generation, node: t.node}
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

// hasRoom reports whether a node has a record, or one may be added for it; in a full table another one may have to go for it.
func (c *Core) hasRoom(n NodeID, generation uint64) bool {
	t := c.store.byNode[n]
	return t != nil && t.rec != nil || c.forgetting.makeRoom(n, generation, 0)
}

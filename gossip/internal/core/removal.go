package core

import (
	"encoding/binary"
	"slices"
)

// A removed member is named in the shared map, so that its removal spreads, merges and is kept as everything there is: an entry of
// SpaceMember whose key is the name and whose value is markRemoved and the generation, 8 bytes big endian. While the entry is live,
// no life of that name has a record or a link.
const markRemoved = 'r'

// Removes reports whether an entry removes the member that it names.
func (e *SharedEntry) Removes(now Moment) bool {
	return e != nil && e.live(now) && len(e.Value) == 9 && e.Value[0] == markRemoved
}

func removalOf(generation uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte{markRemoved}, generation))
}

func (c *Core) remove(id string) {
	if c.CheckRemove(id) != nil {
		return
	}
	t := c.store.byNode[HashID(id)]
	c.replica.write(SharedEntry{Space: SpaceMember, Key: id, Value: removalOf(t.rec.generation),
		Expires: expiry(c.cluster.moment(), c.cfg.Horizon)})
}

// enforce applies an entry of the map to a member.
func (c *Core) enforce(e *SharedEntry) {
	if e.Space != SpaceMember {
		return
	}
	t := c.store.byNode[HashID(e.Key)]
	switch {
	case t == nil || !e.Removes(c.cluster.moment()):
	case t != c.self:
		c.expel(t, e)
	case c.cfg.Rejoin && e.Stamp < c.born:
		c.replica.readmit(c.cfg.ID, c.born)
	default:
		c.replica.handOverRemovals()
		c.sharedFlood.pushAll()
		c.emit(Removed{})
		c.closeAll(ByeRemoved)
	}
}

// handOverRemovals sends all removals over the links whose first comparison is not over: a removal that was acknowledged must not end with
// this node, as when each side of a cut removed members of the other.
func (r *replica) handOverRemovals() {
	var removals []SharedEntry
	for _, e := range r.shared.inBuckets(^uint64(0)) {
		if e.Space == SpaceMember && e.Key != r.cfg.ID && e.Removes(r.cluster.moment()) {
			removals = append(removals, *e)
		}
	}
	for _, l := range r.links.list {
		if !l.exchanged {
			r.sharedFlood.sendWrites(l, removals)
		}
	}
}

// expel drops the record of a member, and the link to it: it gets the reason before.
func (c *Core) expel(t *slot, e *SharedEntry) {
	if l := c.links.byPeer[t]; l != nil {
		c.links.drop(l)
		c.startDraining(l, e)
		c.links.publishNow()
	}
	if t.rec == nil {
		return
	}
	c.forgetting.drop(t)
}

// rejectRemoved sends a removed node the reason, and reads what it sends: if this node was removed as well, the peer may be the only one
// that has the entry. Two that both closed the stream without reading would reject each other for ever.
func (c *Core) rejectRemoved(in LinkUp, e *SharedEntry) {
	if i := slices.IndexFunc(c.links.removed, func(l *link) bool { return l.name == in.ID }); i >= 0 {
		c.links.endDrain(c.links.removed[i]) // one for each peer
	}
	t := c.store.byNode[HashID(in.ID)]
	if t == nil {
		t = &slot{node: HashID(in.ID)} // it takes no place in the store
	}
	c.startDraining(&link{id: in.Link, name: in.ID, peer: t, generation: in.Generation, ours: in.Dialled, since: c.now(),
		unsettled: in.Aged, detector: newDetector(c.now(), c.cfg.Heartbeat)}, e)
	c.dials.failed(DialFailed{Attempt: in.Attempt})
}

// startDraining sends the peer of a link that is not in use the entry that removes it, and has what the peer still sends read for a while.
func (c *Core) startDraining(l *link, e *SharedEntry) {
	c.sharedFlood.sendWrites(l, []SharedEntry{*e})
	l.drainUntil = c.now() + c.cfg.DialTimeout
	c.links.byID[l.id] = l
	c.links.removed = append(c.links.removed, l)
}

// drain takes a frame of a peer that was removed: what it has of the shared map, and its Bye. A removal that was taken back is among
// that if the peer has come back on purpose: it is dialled then, or dials.
func (c *Core) drain(l *link, f Frame) {
	switch f := f.(type) {
	case *SharedDelta:
		c.onSharedDelta(l, f)
		if c.links.byID[l.id] == l && !c.replica.isBanned(l.name) {
			c.links.endDrain(l)
		}
	case *Bye:
		c.links.drop(l)
		c.emit(Close{Link: l.id})
	}
}

// forget takes a record out of what is to be pushed.
func (f *flood) forget(t *slot) {
	if it := f.items[t]; it != nil {
		delete(f.items, t)
		f.order = slices.DeleteFunc(f.order, func(o *item) bool { return o == it })
	}
}

// drop takes the record of a node out of the store.
func (s *store) drop(t *slot) {
	s.unhash(t)
	s.unpair(t)
	s.setLeft(t, false)
	t.rec, t.addr, t.seen, t.gone = nil, "", 0, 0
	delete(s.drops, t)
	s.known--
}

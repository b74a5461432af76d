package core

import (
	"encoding/binary"
	"errors"
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

// isBanned reports whether a name was removed.
func (c *Core) isBanned(id string) bool {
	return c.shared.find(SpaceMember, id).Removes(c.clusterTime())
}

// ErrUnknownMember means that no member of that name is known.
var ErrUnknownMember = errors.New("no member of that name is known")

// CheckRemove returns why a member cannot be removed, nil if it can.
func (c *Core) CheckRemove(id string) error {
	t := c.store.byNode[HashID(id)]
	switch {
	case t == c.self:
		return errors.New("a node does not remove itself: it leaves")
	case t == nil || t.rec == nil:
		return ErrUnknownMember
	}
	return c.CheckClock()
}

func (c *Core) remove(id string) {
	if c.CheckRemove(id) != nil {
		return
	}
	t := c.store.byNode[HashID(id)]
	c.writeShared(SharedEntry{Space: SpaceMember, Key: id, Value: removalOf(t.rec.generation),
		Expires: expiry(c.clusterTime(), c.cfg.Horizon)})
}

// readmit takes back the removal of a name.
func (c *Core) readmit(id string) {
	c.writeShared(SharedEntry{Space: SpaceMember, Key: id, Deleted: true})
}

// enforce applies an entry of the map to a member.
func (c *Core) enforce(e *SharedEntry) {
	if e.Space != SpaceMember {
		return
	}
	t := c.store.byNode[HashID(e.Key)]
	switch {
	case t == nil || !e.Removes(c.clusterTime()):
	case t != c.self:
		c.expel(t, e)
	case c.cfg.Rejoin && e.Stamp < c.born:
		c.readmit(c.cfg.ID)
	default:
		c.pushAllShared()
		c.emit(Removed{})
		c.closeAll(ByeRemoved)
	}
}

// expel drops the record of a member, and the link to it: it gets the reason before, and what it still sends is read until the link drains.
func (c *Core) expel(t *slot, e *SharedEntry) {
	if l := c.links.byPeer[t]; l != nil {
		c.sendShared(l, []SharedEntry{*e})
		c.dropLink(l)
		l.drainUntil = c.now() + c.cfg.DialTimeout
		c.links.byID[l.id] = l
		c.links.removed = append(c.links.removed, l)
		c.publishNow()
	}
	if t.rec == nil {
		return
	}
	c.forgetMember(t)
}

// drain takes a frame of a peer that was removed: what it wrote to the shared map before it knew, and its Bye.
func (c *Core) drain(l *link, f Frame) {
	switch f := f.(type) {
	case *SharedDelta:
		c.onSharedDelta(l, f)
	case *Bye:
		c.dropLink(l)
		c.emit(Close{Link: l.id})
	}
}

// endDraining closes the links of removed peers that do not send a Bye.
func (c *Core) endDraining() {
	for _, l := range slices.Clone(c.links.removed) {
		if c.now() >= l.drainUntil {
			c.send(l, &Bye{Reason: ByeRemoved})
			c.emit(Close{Link: l.id, Graceful: true})
			c.dropLink(l)
		}
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
	t.rec, t.addr, t.seen = nil, "", 0
	s.known--
}

// pushAllShared sends what waits for company, over all links: nothing is sent after a Bye.
func (c *Core) pushAllShared() {
	if c.sharedFlood.pushAt == 0 {
		return
	}
	for _, l := range c.links.list {
		l.lazy = false
	}
	c.sharedFlood.pushAt = 0
	c.pushEager()
}

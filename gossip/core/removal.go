package core

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// Members that are to be gone are named in the shared map, so that the word spreads and merges as everything there does:
//
//	removed    by somebody on purpose; no life of that name is let in until it is readmitted
//	forgotten  out of reach for too long; its record, up to a generation, is dropped, and a later life is welcome
//
// Without the word in the map, those who still have the record would give it back to those who dropped it.
const (
	wordRemoved   = 'r'
	wordForgotten = 'f'
)

// verdictOn is what the map says of a name.
type verdictOn struct {
	removed    bool
	generation uint64 // forgotten are lives up to this one
}

// said reads what an entry says of the member it names.
func (e *SharedEntry) said(now Moment) verdictOn {
	if e == nil || !e.live(now) || len(e.Value) != 9 {
		return verdictOn{}
	}
	g := binary.BigEndian.Uint64([]byte(e.Value[1:]))
	switch e.Value[0] {
	case wordRemoved:
		return verdictOn{removed: true, generation: g}
	case wordForgotten:
		return verdictOn{generation: g}
	}
	return verdictOn{}
}

func word(kind byte, generation uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte{kind}, generation))
}

// barred tells whether a life of a name is to have no record here.
func (c *Core) barred(id string, generation uint64) bool {
	v := c.shared.find(SpaceMember, id).said(c.clusterTime())
	return v.removed || generation <= v.generation
}

// ErrUnknownMember says that nobody of that name is known.
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
	c.writeShared(SharedEntry{Space: SpaceMember, Key: id, Value: word(wordRemoved, t.rec.generation),
		Expires: expiry(c.clusterTime(), c.cfg.Horizon)})
}

// readmit takes back the removal of a name.
func (c *Core) readmit(id string) {
	c.writeShared(SharedEntry{Space: SpaceMember, Key: id, Deleted: true})
}

// enforce does what an entry of the map says of a member.
func (c *Core) enforce(e *SharedEntry) {
	if e.Space != SpaceMember {
		return
	}
	t := c.store.byNode[HashID(e.Key)]
	v := e.said(c.clusterTime())
	switch {
	case t == nil, v == verdictOn{}:
	case t == c.self && v.removed && c.cfg.Rejoin && e.Stamp < c.born:
		c.readmit(c.cfg.ID)
	case t == c.self && v.removed:
		c.pushAllShared()
		c.emit(Removed{})
		c.closeAll(ByeRemoved)
	case t == c.self && v.generation >= c.self.rec.generation:
		c.renew(v.generation) // forgotten while we were cut off: a new generation is welcome
	case t != c.self && (v.removed || t.rec != nil && t.rec.generation <= v.generation):
		c.expel(t, e)
	}
}

// expel drops the record of a member, and the link to it: it is told why before, and has its last words.
func (c *Core) expel(t *slot, e *SharedEntry) {
	if l := c.links.byPeer[t]; l != nil && e.said(c.clusterTime()).removed {
		c.sendShared(l, []SharedEntry{*e})
		c.links.remove(l)
		l.lastWords = c.now() + c.cfg.DialTimeout
		c.links.byID[l.id] = l
		c.links.removed = append(c.links.removed, l)
		c.publishNow()
	}
	if t.rec == nil {
		return
	}
	if t.call != nil {
		t.call.lost = false
	}
	c.setUp(t, false)
	c.flood.forget(t)
	c.emit(Forget{ID: t.rec.id})
	c.store.drop(t)
	c.stale = true
	soonest(&c.judge.dueAt, c.now()+c.cfg.Coalesce)
}

// hearLastWords takes a frame of a peer that was removed: what it wrote to the shared map before it knew, and its goodbye.
func (c *Core) hearLastWords(l *link, f Frame) {
	switch f := f.(type) {
	case *SharedDelta:
		c.onSharedDelta(l, f)
	case *Bye:
		c.links.remove(l)
		c.emit(Close{Link: l.id})
	}
}

// endLastWords closes the links of removed peers that do not say goodbye.
func (c *Core) endLastWords() {
	for _, l := range slices.Clone(c.links.removed) {
		if c.now() >= l.lastWords {
			c.send(l, &Bye{Reason: ByeRemoved})
			c.emit(Close{Link: l.id, Graceful: true})
			c.links.remove(l)
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
	t.rec, t.linked, t.addr, t.left, t.gone = nil, nil, "", false, 0
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

// forgetDue has members forgotten that were out of reach for Config.ForgetAfter, or left that long ago. The member with the lowest
// ID of those that are up does it for all.
func (c *Core) forgetDue() {
	now := c.now()
	if c.cfg.ForgetAfter == 0 || now < c.forgetAt {
		return
	}
	c.forgetAt = now + min(c.cfg.ForgetAfter/4, time.Minute)
	mine := true
	for _, t := range c.store.slots {
		switch {
		case t.rec == nil:
		case t.up && !t.left:
			t.gone = 0
			mine = mine && t.node >= c.self.node
		case t.gone == 0:
			t.gone = max(1, now)
		}
	}
	if !mine || c.CheckClock() != nil {
		return
	}
	for _, t := range c.store.slots {
		if t.rec != nil && t.gone != 0 && now-t.gone >= c.cfg.ForgetAfter {
			c.writeShared(SharedEntry{Space: SpaceMember, Key: t.rec.id, Value: word(wordForgotten, t.rec.generation),
				Expires: expiry(c.clusterTime(), c.cfg.Horizon)})
		}
	}
}

// bars tells whether a delta is of a record that is to be gone.
func (c *Core) bars(d *RecordDelta) bool {
	id := d.ID
	if t := c.store.byNode[d.Node]; id == "" && t != nil && t.rec != nil {
		id = t.rec.id
	}
	return id != "" && c.barred(id, d.Generation)
}

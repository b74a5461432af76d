package core

import (
	"container/heap"
	"slices"
	"time"
)

// sharedFlood is what of the shared map is to be pushed: of each key the newest write.
type sharedFlood struct {
	items  map[uint64]*sharedItem // by SharedID
	order  []*sharedItem
	pushAt time.Duration
	fresh  time.Duration // when something new last came in
}

// sharedItem is an entry and the links whose peers have it.
type sharedItem struct {
	entry *SharedEntry
	has   []LinkID
}

// spread pushes an entry on to all neighbours but the one it came from, 0: it is ours. One that is of the future waits until no
// neighbour takes it for that.
func (c *Core) spread(e *SharedEntry, from LinkID) {
	c.stale = true
	if c.aheadOfClock(e.Stamp) {
		c.held.add(e)
		return
	}
	f, id := &c.sharedFlood, e.id()
	it := f.items[id]
	if it == nil {
		if f.items == nil {
			f.items = map[uint64]*sharedItem{}
		}
		it = &sharedItem{}
		f.items[id] = it
		f.order = append(f.order, it)
	}
	it.entry, it.has = e, it.has[:0]
	if from != 0 {
		it.has = append(it.has, from)
	}
	soonest(&f.pushAt, c.now()+c.cfg.Coalesce)
}

// has notes that the peer of a link has a write that is to be pushed.
func (f *sharedFlood) has(e *SharedEntry, l LinkID) {
	it := f.items[e.id()]
	if it != nil && it.entry.Stamp == e.Stamp && it.entry.Writer == e.Writer && !slices.Contains(it.has, l) {
		it.has = append(it.has, l)
	}
}

func (c *Core) pushSharedDue() {
	c.sendHeld()
	f := &c.sharedFlood
	if f.pushAt == 0 || c.now() < f.pushAt {
		return
	}
	items := f.order
	f.items, f.order, f.pushAt = nil, nil, 0
	for _, l := range c.links.list {
		var out []SharedEntry
		for _, it := range items {
			if !slices.Contains(it.has, l.id) {
				out = append(out, *it.entry)
			}
		}
		c.sendShared(l, out)
	}
}

// sharedDue is when the shared map next has something to do by itself, 0 if never.
func (c *Core) sharedDue() time.Duration {
	at := c.collectAt()
	if f := &c.sharedFlood; f.pushAt != 0 {
		soonest(&at, f.pushAt)
	}
	return at
}

// sendShared sends entries in frames of at most about maxFrame.
func (c *Core) sendShared(l *link, entries []SharedEntry) { c.sendEntries(l, entries, false) }

// sendEntries is sendShared; with last, the frames are an answer, and its end is marked even if there is nothing to send.
func (c *Core) sendEntries(l *link, entries []SharedEntry, last bool) {
	for len(entries) > 0 || last {
		n, w := 0, 0
		for n < len(entries) && (n == 0 || w < maxFrame) {
			w += entries[n].cost()
			n++
		}
		ends := last && n == len(entries)
		c.send(l, &SharedDelta{Clock: c.clock.last.UnixMilli(), Entries: entries[:n:n], Last: ends})
		entries, last = entries[n:], last && !ends
	}
}

// clone keeps an entry alive without the frame it came in.
func clone(e *SharedEntry) *SharedEntry { own := *e; return &own }

// onSharedDelta takes what a neighbour pushed or answered.
func (c *Core) onSharedDelta(l *link, d *SharedDelta) {
	c.hearTime(l, d.Clock)
	for i := range d.Entries {
		e := &d.Entries[i]
		if why := c.refuses(e); why != "" {
			c.emit(Rejected{Link: l.id, Reason: why})
			continue
		}
		if c.past(e) {
			continue // we have dropped it, and so will the neighbour
		}
		if c.fromUnsettled(l, e) {
			c.endUnsettled(l)
			return
		}
		c.merge(l, clone(e))
		if c.closed {
			return
		}
	}
	if d.Last {
		c.sharedMaps.onLast(l)
	}
}

// merge takes one entry of a neighbour.
func (c *Core) merge(l *link, e *SharedEntry) {
	c.shared.clock.see(e.Stamp, c.future())
	if !c.shared.put(e) {
		c.sharedFlood.has(e, l.id)
		return
	}
	l.shared.gained(c.now())
	c.sharedFlood.fresh = c.now()
	c.spread(e, l.id)
	if c.shared.byID(e.id()) == nil {
		c.report([]ended{{e, true}})
		return
	}
	c.remember(e)
	c.enforce(e)
}

// past reports whether an entry is a tombstone that has had its time, or a value that would be one. A node that is aged takes it all
// the same: it may be the last one.
func (c *Core) past(e *SharedEntry) bool {
	now := c.clusterTime()
	return !c.aging.aged && !e.live(now) && now.Sub(e.death()) > c.cfg.Horizon
}

const (
	reasonFormat = "shared entry breaks the format"
	reasonFull   = "shared map too large"
)

// refuses returns why an entry of another node is not taken, "" if it is.
func (c *Core) refuses(e *SharedEntry) string {
	switch {
	case !e.wellFormed():
		return reasonFormat
	case c.aheadOfClock(e.Stamp):
		return ReasonClockAhead
	case !c.shared.hasRoom(e):
		return reasonFull
	}
	return ""
}

// heldEntries are entries of the future: taken from the own disk, or written when cluster time was another one. No neighbour would
// take them yet. They are sent when cluster time gets near their stamps.
type heldEntries struct{ list []*SharedEntry }

func (h *heldEntries) add(e *SharedEntry) { heap.Push(h, e) }

// Len is of heap.Interface, as are the following.
func (h *heldEntries) Len() int { return len(h.list) }

// Less orders by write.
func (h *heldEntries) Less(i, j int) bool { return h.list[j].newer(h.list[i]) }

// Swap exchanges two entries.
func (h *heldEntries) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push appends an entry.
func (h *heldEntries) Push(x any) { h.list = append(h.list, x.(*SharedEntry)) }

// Pop takes the last entry away.
func (h *heldEntries) Pop() any {
	last := len(h.list) - 1
	e := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	return e
}

// sendHeld sends the entries that are of the future no longer, if nothing newer has taken their place.
func (c *Core) sendHeld() {
	for len(c.held.list) > 0 && !c.aheadOfClock(c.held.list[0].Stamp) {
		e := heap.Pop(&c.held).(*SharedEntry)
		if now := c.shared.byID(e.id()); now != nil && now.Stamp == e.Stamp && now.Writer == e.Writer {
			c.spread(now, 0)
		}
	}
}

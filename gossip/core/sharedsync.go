package core

import (
	"cmp"
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

// spread pushes an entry on to all neighbours but the one it came from, 0: it is ours.
func (c *Core) spread(e *SharedEntry, from LinkID) {
	c.stale = true
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

// inBuckets returns the entries in the buckets of a mask, in the order of their IDs.
func (m *sharedMap) inBuckets(mask uint64) []*SharedEntry {
	var all []*SharedEntry
	for id, e := range m.entries {
		if mask>>(id%NumBuckets)&1 == 1 {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *SharedEntry) int {
		x, y := a.id(), b.id()
		return cmp.Or(cmp.Compare(x%NumBuckets, y%NumBuckets), cmp.Compare(x, y))
	})
	return all
}

// clone keeps an entry alive without the frame it came in.
func clone(e *SharedEntry) *SharedEntry { own := *e; return &own }

// onSharedDelta takes what a neighbour pushed or answered.
func (c *Core) onSharedDelta(l *link, d *SharedDelta) {
	l.hearClock(d.Clock, c.now())
	c.median = time.Time{}
	for i := range d.Entries {
		e := &d.Entries[i]
		why := c.refuses(e)
		if why != "" {
			c.emit(Rejected{Link: l.id, Reason: why})
			continue
		}
		if now := c.clusterTime(); !e.live(now) && e.past(now, c.cfg.Horizon) {
			continue // we have dropped it, and so will the neighbour
		}
		c.shared.clock.see(e.Stamp)
		if e := clone(e); c.shared.put(e) {
			l.shared.gained(c.now())
			c.sharedFlood.fresh = c.now()
			c.spread(e, l.id)
			c.remember(e)
			c.enforce(e)
			if c.closed {
				return
			}
		} else {
			c.sharedFlood.has(e, l.id)
		}
	}
	if d.Last {
		c.sharedMaps.onLast(l)
	}
}

// refuses returns what is wrong with an entry of another node, "" if nothing is.
func (c *Core) refuses(e *SharedEntry) string {
	switch {
	case len(e.Key) == 0 || len(e.Key) > MaxKey || len(e.Value) > MaxValue || e.Deleted && e.Value != "" || e.Expires < 0 || e.Expires > maxExpires:
		return "shared entry breaks the format"
	case c.aheadOfClock(e.Stamp):
		return ReasonClockAhead
	case c.shared.size+e.cost() > sharedSlack*c.cfg.Limits.Shared:
		return "shared map too large"
	}
	return ""
}

const (
	maxExpires = 1 << 50
	// sharedSlack is by how much merging may exceed the limit that writers are held to, so that the halves of a partition
	// can always become one.
	sharedSlack = 4
)

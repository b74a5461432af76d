package core

import (
	"cmp"
	"slices"
	"time"
)

// Bounds of the exchange.
const (
	sharedDigestMost = 8192             // entries of one digest; a bucket is never cut
	sharedWaitMost   = 30 * time.Second // between two exchanges over a link that bring nothing
)

// sharedFlood is what of the shared map is to be pushed: of each key the newest write.
type sharedFlood struct {
	items  map[uint64]*sharedItem // by SharedID
	order  []*sharedItem
	pushAt time.Duration
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
func (c *Core) sendShared(l *link, entries []SharedEntry) {
	for len(entries) > 0 {
		n, w := 0, 0
		for n < len(entries) && (n == 0 || w < maxFrame) {
			w += entries[n].cost()
			n++
		}
		c.send(l, &SharedDelta{Clock: c.clock.last.UnixMilli(), Entries: entries[:n:n]})
		entries = entries[n:]
	}
}

// onSharedHash compares the maps of two neighbours, as onBeat does with records. An exchange that brings nothing, because one side
// refuses what the other has, is tried less and less often.
func (c *Core) onSharedHash(l *link, hash uint64, first bool) {
	if hash == c.shared.hash {
		l.sharedDiffer, l.sharedWait = 0, 0
		return
	}
	l.sharedDiffer++
	lower := c.self.node < l.peer.node
	begin := l.sharedDiffer > 2 || lower && (first || l.sharedDiffer > 1)
	if !begin || l.sharedAsked != 0 && c.now()-l.sharedAsked < max(l.sharedWait, c.cfg.Heartbeat) {
		return
	}
	l.sharedAsked = max(1, c.now())
	l.sharedWait = min(max(2*l.sharedWait, c.cfg.Heartbeat), sharedWaitMost)
	c.send(l, &SharedBuckets{Hashes: c.shared.buckets})
}

func (c *Core) onSharedBuckets(l *link, b *SharedBuckets) {
	var mask uint64
	for i, h := range b.Hashes {
		if h != c.shared.buckets[i] {
			mask |= 1 << i
		}
	}
	for _, d := range c.shared.digests(mask) {
		c.send(l, d)
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

// digests lists the entries in the buckets of a mask, whole buckets in each.
func (m *sharedMap) digests(mask uint64) []*SharedDigest {
	var out []*SharedDigest
	d := &SharedDigest{}
	all := m.inBuckets(mask)
	for b := range uint64(NumBuckets) {
		if mask>>b&1 == 0 {
			continue
		}
		n := 0
		for n < len(all) && all[n].id()%NumBuckets == b {
			n++
		}
		if len(d.Entries) > 0 && len(d.Entries)+n > sharedDigestMost {
			out = append(out, d)
			d = &SharedDigest{}
		}
		d.Mask |= 1 << b
		for _, e := range all[:n] {
			d.Entries = append(d.Entries, SharedVersion{ID: e.id(), Stamp: e.Stamp, Writer: e.Writer})
		}
		all = all[n:]
	}
	if d.Mask != 0 {
		out = append(out, d)
	}
	return out
}

// onSharedDigest sends what the neighbour lacks and asks for what we lack.
func (c *Core) onSharedDigest(l *link, d *SharedDigest) {
	var out []SharedEntry
	var lack []SharedVersion
	listed := make(map[uint64]bool, len(d.Entries))
	for _, v := range d.Entries {
		listed[v.ID] = true
		e := c.shared.entries[v.ID]
		switch {
		case e == nil || cmp.Or(cmp.Compare(v.Stamp, e.Stamp), cmp.Compare(v.Writer, e.Writer)) > 0:
			switch {
			case d.Mask == 0: // it asks, and knows what it has
			case c.aheadOfClock(v.Stamp):
				c.emit(Rejected{Link: l.id, Reason: ReasonClockAhead})
			default:
				lack = append(lack, SharedVersion{ID: v.ID})
			}
		case v.Stamp != e.Stamp || v.Writer != e.Writer:
			out = append(out, *e)
		}
	}
	if d.Mask != 0 {
		for _, e := range c.shared.inBuckets(d.Mask) {
			if !listed[e.id()] {
				out = append(out, *e)
			}
		}
	}
	c.sendShared(l, out)
	if len(lack) > 0 {
		c.send(l, &SharedDigest{Entries: lack})
	}
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
			l.sharedWait = 0
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

package core

import (
	"cmp"
	"time"
)

// Bounds of the exchange.
const (
	sharedDigestMost = 8192             // entries of one digest; a bucket is never cut
	sharedWaitMost   = 30 * time.Second // between two exchanges over a link that bring nothing
)

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
	c.send(l, c.sharedBuckets())
}

func (c *Core) onSharedBuckets(l *link, b *SharedBuckets) {
	c.hearFloor(l, b.Floor)
	var mask uint64
	for i, h := range b.Hashes {
		if h != c.shared.buckets[i] {
			mask |= 1 << i
		}
	}
	for _, d := range c.shared.digests(mask, c.future()) {
		c.send(l, d)
	}
}

// digests lists the entries in the buckets of a mask, whole buckets in each, but those that no neighbour would take yet.
func (m *sharedMap) digests(mask uint64, future Stamp) []*SharedDigest {
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
			if e.Stamp <= future {
				d.Entries = append(d.Entries, e.version())
			}
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
		e := c.shared.byID(v.ID)
		switch {
		case e == nil || cmp.Or(cmp.Compare(v.Stamp, e.Stamp), cmp.Compare(v.Writer, e.Writer)) > 0:
			switch {
			case d.Mask == 0: // it asks, and knows what it has
			case c.aheadOfClock(v.Stamp):
				c.emit(Rejected{Link: l.id, Reason: ReasonClockAhead})
			default:
				lack = append(lack, SharedVersion{ID: v.ID})
			}
		case (v.Stamp != e.Stamp || v.Writer != e.Writer) && !c.aheadOfClock(e.Stamp):
			out = append(out, *e)
		}
	}
	if d.Mask != 0 {
		for _, e := range c.shared.inBuckets(d.Mask) {
			if !listed[e.id()] && !c.aheadOfClock(e.Stamp) {
				out = append(out, *e)
			}
		}
	}
	c.sendShared(l, out)
	if len(lack) > 0 {
		c.send(l, &SharedDigest{Entries: lack})
	}
}

package core

import (
	"slices"
	"time"
)

// An exchange finds and mends a difference between two neighbours: hashes on every heartbeat, then 64 bucket hashes, then the
// versions of the records in the buckets that differ, then deltas. Idle clusters pay for the first step only (the idea of
// Merkle trees in Dynamo, 2007, at depth two).

// wholeDigest is the number of records up to which the versions of all are cheaper than bucket hashes.
const wholeDigest = 40

func (t *slot) digest() DigestEntry {
	e := DigestEntry{Node: t.node}
	if t.rec != nil {
		e.Generation, e.Version, e.Floor = t.rec.generation, t.rec.version, t.rec.floor
	}
	return e
}

// onBeat compares hashes. A difference is normal while changes are under way, so an exchange waits until nothing new has come
// for a while; on a new link it begins at once if one side knows less or is cut off from the other. The node with the lower
// ID begins, the other one only if nothing came of it.
func (c *Core) onBeat(l *link, b *Beat) {
	first := !l.beaten
	l.beaten, l.peerWants = true, b.Wanted
	c.hearTime(l, b.Clock)
	c.compare(l, b)
	c.onSharedHash(l, b.Shared, first)
	l.eager = b.Eager
	l.good++
	if l.good == l.need {
		c.linkReady(l)
	}
	if b.Hash == c.store.hash {
		l.differ = 0
		c.settled()
		return
	}
	l.differ++
	known, peers := c.store.known, int(b.Known)
	lower := c.self.node < l.peer.node
	quiet := c.now()-c.flood.fresh > c.cfg.Heartbeat
	begin := l.differ > 4 || quiet && (lower || l.differ > 1)
	if first {
		begin = known < peers || quiet && lower || !l.peer.up && known == peers && lower
	}
	if begin && (first || c.now()-l.exchanged >= c.cfg.Heartbeat) {
		l.exchanged = c.now()
		c.exchange(l)
	}
}

// exchange says to a neighbour all that we have, briefly.
func (c *Core) exchange(l *link) {
	if c.store.known <= wholeDigest {
		c.send(l, c.digest(^uint64(0)))
		return
	}
	c.send(l, &Buckets{Hashes: c.store.buckets})
}

// digest lists the records in the buckets of mask.
func (c *Core) digest(mask uint64) *Digest {
	d := &Digest{Mask: mask}
	for _, t := range c.store.slots {
		if t.rec != nil && mask>>(t.node%NumBuckets)&1 == 1 {
			d.Entries = append(d.Entries, t.digest())
		}
	}
	return d
}

func (c *Core) onBuckets(l *link, b *Buckets) {
	var mask uint64
	for i, h := range b.Hashes {
		if h != c.store.buckets[i] {
			mask |= 1 << i
		}
	}
	if mask != 0 {
		c.send(l, c.digest(mask))
	}
}

// onDigest sends what the neighbour lacks and asks for what we lack. Both having something makes the link part of the tree.
func (c *Core) onDigest(l *link, d *Digest) {
	var lack []DigestEntry
	var out []RecordDelta
	listed := make(map[NodeID]bool, len(d.Entries))
	for i := range d.Entries {
		e := &d.Entries[i]
		listed[e.Node] = true
		if e.Node == c.self.node {
			c.hearSelf(e.Generation, e.Version)
			if c.closed {
				return
			}
		}
		t := c.store.byNode[e.Node]
		switch {
		case t == nil || t.rec == nil || e.behind(t.rec) > 0:
			if d.Mask != 0 {
				lack = append(lack, DigestEntry{Node: e.Node})
				if t != nil {
					lack[len(lack)-1] = t.digest()
				}
			}
		case e.behind(t.rec) < 0:
			out = c.answer(out, l, t, *e)
		}
	}
	for _, t := range c.store.slots {
		if t.rec != nil && d.Mask>>(t.node%NumBuckets)&1 == 1 && !listed[t.node] {
			out = c.answer(out, l, t, DigestEntry{})
		}
	}
	c.sendDelta(l, out)
	if len(lack) > 0 {
		c.send(l, &Digest{Entries: lack})
	}
	if d.Mask != 0 && len(out)+len(lack) > 0 {
		c.setEager(l, true)
	}
}

// answer adds what a neighbour that stands at e lacks of a record.
func (c *Core) answer(out []RecordDelta, l *link, t *slot, e DigestEntry) []RecordDelta {
	if e.Generation != t.rec.generation {
		e.Version, e.Floor = 0, 0
	}
	c.flood.has(t, l.id)
	return append(out, t.since(e.Version, e.Floor).split()...)
}

// compare keeps the staleness of this node: how long some neighbour has had another state.
func (c *Core) compare(l *link, b *Beat) {
	l.same = b.Hash == c.store.hash && b.Shared == c.shared.hash
	if !slices.ContainsFunc(c.links.list, func(o *link) bool { return !o.same }) {
		c.inStep = c.now()
	}
}

// Staleness is for how long some neighbour has had another state than this node: up to a few heartbeats while changes are on
// their way, more when something keeps them apart. It is 0 without neighbours.
func (c *Core) Staleness() time.Duration {
	if len(c.links.list) == 0 {
		return 0
	}
	return c.now() - c.inStep
}

// settled notes that a neighbour has just what we have, our own record included.
func (c *Core) settled() { c.agreed = true }

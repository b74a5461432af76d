package core

import (
	"cmp"
	"time"
)

// recordTable are the records as an exchange sees them.
type recordTable struct {
	*host
	store   *store
	flood   *flood
	judge   *verdict
	cluster *clusterClock
}

func (t *recordTable) of(l *link) *exchange  { return &l.records }
func (t *recordTable) quiet() bool           { return t.now()-t.flood.fresh > 2*t.cfg.Heartbeat }
func (t *recordTable) isSmall() bool         { return t.store.known <= wholeDigest }
func (t *recordTable) gives(_, _ claim) bool { return true } // only its owner writes a record: there is no stamp to wait for

// wholeDigest is the number of records up to which the versions of all are cheaper than bucket hashes.
const wholeDigest = 40

// takes is false for a generation that no clock can have given, so that no message can make a name unusable for good.
func (t *recordTable) takes(c claim) bool { return !t.cluster.beyondClocks(c.hi) }

func (t *recordTable) sums() (uint64, *[NumBuckets]uint64) { return t.store.hash, &t.store.buckets }

func (t *recordTable) claim(id uint64) claim {
	s := t.store.byNode[NodeID(id)]
	if s == nil {
		return claim{id: id}
	}
	return s.claim()
}

// claim returns at which version this node has the record; a place without a record is behind every version.
func (s *slot) claim() claim {
	if s.rec == nil {
		return claim{id: uint64(s.node)}
	}
	return claim{uint64(s.node), s.rec.generation, s.rec.version, s.rec.floor, cmp.Or(s.gone, lately)}
}

// entry returns what a digest has of a claim.
func (c claim) entry() DigestEntry {
	e := DigestEntry{Node: NodeID(c.id), Generation: c.hi, Version: c.lo, Floor: c.floor}
	if c.gone != lately {
		e.Seen = c.gone
	}
	return e
}

// claim returns the claim that the sender of an entry makes.
func (e *DigestEntry) claim() claim {
	c := claim{id: uint64(e.Node), hi: e.Generation, lo: e.Version, floor: e.Floor}
	if e.Generation != 0 {
		c.gone = cmp.Or(e.Seen, lately)
	}
	return c
}

// claims lists in the order of the places: equal inputs give equal outputs.
func (t *recordTable) claims(mask uint64) []claim {
	var all []claim
	for _, s := range t.store.slots {
		if s.rec != nil && mask>>(s.node%NumBuckets)&1 == 1 {
			all = append(all, s.claim())
		}
	}
	return all
}

func (t *recordTable) sendBuckets(l *link) { t.host.send(l, &Buckets{Hashes: t.store.buckets}) }

func (t *recordTable) sendDigest(l *link, mask uint64, reply bool, claims []claim) {
	d := &Digest{Mask: mask, Reply: reply, Entries: make([]DigestEntry, len(claims))}
	for i, c := range claims {
		d.Entries[i] = c.entry()
	}
	t.host.send(l, d)
}

// lacked returns what a peer lacks of a record that stands at a claim.
func (t *recordTable) lacked(c claim) (RecordDelta, bool) {
	s := t.store.byNode[NodeID(c.id)]
	if s == nil || s.rec == nil || s.claim().compare(c) <= 0 {
		return RecordDelta{}, false
	}
	switch {
	case c.hi != s.rec.generation:
		c.lo, c.floor = 0, 0
	case c.lo == s.rec.version: // it lacks only since when the member has been gone: a delta has one version at least
		c.lo, c.floor = c.lo-1, s.rec.floor
	}
	d := s.since(c.lo, c.floor)
	d.Seen = t.judge.seenOf(s)
	return d, true
}

func (t *recordTable) weigh(claims []claim, most int) (bytes int) {
	for _, c := range claims {
		if d, ok := t.lacked(c); ok {
			bytes += d.weight()
		}
		if bytes >= most {
			break
		}
	}
	return bytes
}

// send may end within a record. Its parts are in the order of the versions, so the peer has all up to one of them, and asks from there. Only
// after the last part the peer counts as having the record, so that no push leaves it out.
func (t *recordTable) send(l *link, claims []claim) {
	out := make([]RecordDelta, 0, min(len(claims), 256))
	for room := pullWindow; len(claims) > 0 && room > 0; claims = claims[1:] {
		d, ok := t.lacked(claims[0])
		if !ok {
			continue
		}
		parts := d.split()
		for len(parts) > 0 && room > 0 {
			room -= parts[0].weight()
			out = append(out, parts[0])
			parts = parts[1:]
		}
		if len(parts) == 0 {
			t.flood.markHas(t.store.byNode[d.Node], l.id)
		}
	}
	t.flood.sendFrames(l, out, true)
}

// onDigest deals with a digest of records. One that lists our own record may show that another process has our name.
func (c *Core) onDigest(l *link, d *Digest) {
	claims := make([]claim, 0, len(d.Entries))
	for i := range d.Entries {
		e := &d.Entries[i]
		// Once the cluster has agreed with us, and if we yield, the record itself has to show whether that life is gone.
		if e.Node == c.self.node && !c.agreed && !c.cfg.Yields {
			c.hearSelf(e.Generation, e.Version, false, "")
			if c.closed {
				return
			}
		}
		claims = append(claims, e.claim())
	}
	if c.records.onDigest(l, d.Mask, d.Reply, claims) { // both having something makes the link part of the tree
		c.links.setEager(l, true)
	}
}

// farGeneration is how far beyond cluster time a generation may be: those of nodes whose clocks are wrong by years are taken, and
// above each there is room for a life that has to be newer.
const farGeneration = 100 * 366 * 24 * time.Hour

// beyondClocks reports whether a generation is so high that nothing but a defect or malice can have made it.
func (k *clusterClock) beyondClocks(generation uint64) bool {
	return generation > uint64(max(0, k.moment().Add(farGeneration)))
}

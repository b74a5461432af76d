package core

// sharedTable is the shared map as an exchange sees it.
type sharedTable struct {
	*host
	shared      *sharedMap
	sharedFlood *sharedFlood
	cluster     *clusterClock
}

func (t *sharedTable) of(l *link) *exchange { return &l.shared }
func (t *sharedTable) quiet() bool {
	f := t.sharedFlood.fresh
	return f == 0 || t.now()-f > t.cfg.Heartbeat
}

// isSmall is false: keys are many more than members, so the versions of all are never cheaper than the hashes of the buckets.
func (t *sharedTable) isSmall() bool { return false }

// takes and gives are false for a write of the future: it waits where it is until cluster time gets there.
func (t *sharedTable) takes(c claim) bool {
	if t.cluster.isAhead(c.id, Stamp(c.hi), t.shared.stampOf(c.id)) {
		t.emit(Rejected{Reason: ReasonClockAhead})
		return false
	}
	return true
}
func (t *sharedTable) gives(ours, theirs claim) bool {
	return !t.cluster.isAhead(ours.id, Stamp(ours.hi), Stamp(theirs.hi))
}

func (t *sharedTable) sums() (uint64, *[NumBuckets]uint64) {
	return t.shared.hash, &t.shared.buckets
}

// claim has the stamp and, for two writes with one stamp, the writer: the higher one wins on every node.
func (t *sharedTable) claim(id uint64) claim {
	if e := t.shared.byID(id); e != nil {
		return claim{id: id, hi: uint64(e.Stamp), lo: uint64(e.Writer)}
	}
	return claim{id: id}
}

func (t *sharedTable) claims(mask uint64) []claim {
	all := t.shared.inBuckets(mask)
	out := make([]claim, 0, len(all))
	for _, e := range all {
		out = append(out, claim{id: e.id(), hi: uint64(e.Stamp), lo: uint64(e.Writer)})
	}
	return out
}

func (t *sharedTable) sendBuckets(l *link) { t.host.send(l, t.shared.summary()) }

func (t *sharedTable) sendDigest(l *link, mask uint64, reply bool, claims []claim) {
	d := &SharedDigest{Mask: mask, Reply: reply, Entries: make([]SharedVersion, len(claims))}
	for i, c := range claims {
		d.Entries[i] = SharedVersion{ID: c.id, Stamp: Stamp(c.hi), Writer: NodeID(c.lo)}
	}
	t.host.send(l, d)
}

// lacked returns what a peer lacks that stands at a claim, nil if nothing. It looks the claim up again: the entry may have changed, or
// become one of the future by a step of the clocks, since the peer was compared with.
func (t *sharedTable) lacked(c claim) *SharedEntry {
	if ours := t.claim(c.id); ours.compare(c) <= 0 || !t.gives(ours, c) {
		return nil
	}
	return t.shared.byID(c.id)
}

func (t *sharedTable) weigh(claims []claim, most int) (bytes int) {
	for _, c := range claims {
		if e := t.lacked(c); e != nil {
			bytes += e.cost()
		}
		if bytes >= most {
			break
		}
	}
	return bytes
}

func (t *sharedTable) send(l *link, claims []claim) {
	var out []SharedEntry
	for room := pullWindow; len(claims) > 0 && room > 0; claims = claims[1:] {
		if e := t.lacked(claims[0]); e != nil {
			out = append(out, *e)
			room -= e.cost()
		}
	}
	t.sharedFlood.sendFrames(l, out, true)
}

// onSharedDigest deals with a digest of the shared map.
func (c *Core) onSharedDigest(l *link, d *SharedDigest) {
	claims := make([]claim, len(d.Entries))
	for i, v := range d.Entries {
		claims[i] = claim{id: v.ID, hi: uint64(v.Stamp), lo: uint64(v.Writer)}
	}
	c.sharedMaps.onDigest(l, d.Mask, d.Reply, claims)
}

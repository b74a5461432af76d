package core

// item is a record with versions not yet pushed: those above prev. It exists from the first change after a push to the next push, which
// takes all that came between as one delta.
type item struct {
	slot   *slot
	prev   uint64
	urgent bool // for this node
	// relayed is set if the change is urgent for its writer, and so for all. What is urgent for this node alone, since it does not reach
	// the member, is not relayed as urgent while this node is behind: then it would be urgent everywhere, and for every change.
	relayed bool
	has     []linkVersion  // links whose peers have the record at some version above prev
	room    [3]linkVersion // of has, unless there are more
}

// linkVersion is the version of a record that the peer of a link has.
type linkVersion struct {
	link    LinkID
	version uint64
}

// recordHolder notes that the peer of a link has the record at a version.
func (it *item) recordHolder(l LinkID, version uint64) {
	for i := range it.has {
		if h := &it.has[i]; h.link == l {
			h.version = max(h.version, version)
			return
		}
	}
	it.has = append(it.has, linkVersion{l, version})
}

// from returns the version above which the peer of a link lacks the record, as far as is known here.
func (it *item) from(l LinkID) uint64 {
	for _, h := range it.has {
		if h.link == l {
			return max(h.version, it.prev)
		}
	}
	return it.prev
}

// isLackedBy reports whether the peer of a link lacks the record, as far as is known here. A member has its own; another process of its name, though, must
// hear of it.
func (it *item) isLackedBy(l *link) bool {
	own := it.slot == l.peer && l.generation == it.slot.rec.generation
	return !own && it.from(l.id) < it.slot.rec.version
}

// deltasSince are the deltas of a record for peers that stand at one of a few versions.
type deltasSince []deltaSince

type deltaSince struct {
	from  uint64
	delta RecordDelta
}

// get returns what a peer lacks that stands at a version.
func (p *deltasSince) get(f *flood, it *item, from uint64) *RecordDelta {
	for i := range *p {
		if s := &(*p)[i]; s.from == from {
			return &s.delta
		}
	}
	d := it.slot.since(from, from)
	d.Urgent, d.Seen = it.relayed || it.urgent && f.load.lag == 0, f.judge.seenOf(it.slot)
	*p = append(*p, deltaSince{from, d})
	return &(*p)[len(*p)-1].delta
}

package core

// item is a record with versions not yet pushed.
type item struct {
	slot   *slot
	prev   uint64
	urgent bool // for this node
	// relayed is set if the change is urgent for its writer, and so for all. What is urgent for this node alone, since it does not reach
	// the member, is not relayed as urgent while this node is behind: then it would be urgent everywhere, and for every change.
	relayed bool
	has     []linkVersion // links whose peers have the record at some version above prev
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

// partsSince are the parts of a record that peers lack which stand at one of a few versions.
type partsSince []struct {
	from  uint64
	parts []RecordDelta
}

// get returns what a peer lacks that stands at a version.
func (p *partsSince) get(c *Core, it *item, from uint64) []RecordDelta {
	for _, s := range *p {
		if s.from == from {
			return s.parts
		}
	}
	d := it.slot.since(from, from)
	d.Urgent, d.Seen = it.relayed || it.urgent && c.load.lag == 0, c.seenOf(it.slot)
	parts := d.split()
	*p = append(*p, struct {
		from  uint64
		parts []RecordDelta
	}{from, parts})
	return parts
}

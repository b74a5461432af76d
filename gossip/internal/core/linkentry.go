package core

import (
	"cmp"
	"slices"
)

// LinkEntry is the entry of a record that publishes a link to a node, or takes it back. It takes 16 bytes: a record has some dozens of
// them, and a node has all records.
type LinkEntry struct {
	Node NodeID // the other end
	Mark uint64 // the version that wrote it, times 2, plus 1 for a tombstone; ordered as the versions are
}

// Link returns the entry of a link at a version.
func Link(n NodeID, version uint64, deleted bool) LinkEntry {
	l := LinkEntry{Node: n, Mark: version << 1}
	if deleted {
		l.Mark |= 1
	}
	return l
}

// Version returns the version that wrote the entry.
func (l LinkEntry) Version() uint64 { return l.Mark >> 1 }

// Deleted reports whether the entry is a tombstone: the link was published, and is not any longer.
func (l LinkEntry) Deleted() bool { return l.Mark&1 == 1 }

// linkCost is the cost of a link, in bytes, as Limits count it: that of an [Entry] whose key is the 8 bytes of the node.
const linkCost = entryCost + 8

// hash is that of an [Entry] of KindLink whose key is the 8 bytes of the node, big endian.
func (l LinkEntry) hash() uint64 {
	h := fnvBasis
	for shift := 56; shift >= 0; shift -= 8 {
		h = (h ^ uint64(l.Node)>>shift&0xff) * fnvPrime
	}
	return entryHash(h, KindLink, l.Version(), l.Deleted())
}

// sortLinks sorts links by version.
func sortLinks(links []LinkEntry) {
	slices.SortFunc(links, func(a, b LinkEntry) int { return cmp.Compare(a.Mark, b.Mark) })
}

// findLink returns the index of the link to a node, or the one at which to insert it.
func (r *record) findLink(n NodeID) (i int, found bool) {
	return slices.BinarySearchFunc(r.links, n, func(l LinkEntry, n NodeID) int { return cmp.Compare(l.Node, n) })
}

// link returns the entry of the link to a node, a tombstone too.
func (r *record) link(n NodeID) (l LinkEntry, ok bool) {
	i, ok := r.findLink(n)
	if !ok {
		return LinkEntry{}, false
	}
	return r.links[i], true
}

// hasLink reports whether the record publishes a link to a node.
func (r *record) hasLink(n NodeID) bool {
	l, ok := r.link(n)
	return ok && !l.Deleted()
}

// putLink adds a link newer than all others, in place of the one to its node.
func (r *record) putLink(l LinkEntry) {
	i, found := r.findLink(l.Node)
	if found {
		r.accountLink(r.links[i], -1)
		r.links[i] = l
	} else {
		r.links = insertAt(r.links, i, l, usualLinks)
	}
	r.accountLink(l, 1)
}

// insertAt is slices.Insert for lists of which a node has one for each member. They begin with the room that most of them come to need,
// so that a join storm leaves no holes of many sizes in the heap, and then grow by a few, not to twice their size.
func insertAt[T any](all []T, i int, x T, usual int) []T {
	if n := len(all); n == cap(all) {
		all = append(make([]T, 0, roomFor(n, usual)), all...)
	}
	return slices.Insert(all, i, x)
}

// roomFor returns the most room that a list of n is given or keeps.
func roomFor(n, usual int) int { return max(usual, n+2+n/4) }

// What a member with all its neighbours has, by the default of Config.Rings: entries for links in its record, some of them tombstones,
// and peers.
const usualLinks, usualPeers = 12, 10

// putLinks is putLink for many links, ascending by version: inserting them one by one would move all that follow each time.
func (r *record) putLinks(links []LinkEntry) {
	all := make([]LinkEntry, 0, len(r.links)+len(links))
	all = append(append(all, r.links...), links...)
	slices.SortFunc(all, func(a, b LinkEntry) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Mark, b.Mark))
	})
	for _, l := range r.links {
		r.accountLink(l, -1)
	}
	r.links = all[:0]
	for i, l := range all {
		if i+1 == len(all) || all[i+1].Node != l.Node { // the newest of its node
			r.links = append(r.links, l)
			r.accountLink(l, 1)
		}
	}
	r.links = clip(r.links, usualLinks)
}

// clip gives back the room of a list that is much larger than what it holds.
func clip[T any](all []T, usual int) []T {
	if cap(all) <= roomFor(len(all), usual) {
		return all
	}
	return append(make([]T, 0, len(all)), all...)
}

// accountLink adds a link to what is kept about all of them, or with sign -1 takes it out.
func (r *record) accountLink(l LinkEntry, sign int) {
	r.size += sign * linkCost
	r.body += uint64(sign) * l.hash()
}

// publishes reports whether s publishes that it holds a link to t.
func (s *slot) publishes(t *slot) bool { return s.rec != nil && s.rec.hasLink(t.node) }

// findPeer returns the index of a node in peers, or the one at which to insert it.
func (s *slot) findPeer(n NodeID) (i int, found bool) {
	return slices.BinarySearchFunc(s.peers, n, func(p *slot, n NodeID) int { return cmp.Compare(p.node, n) })
}

// published updates peers at both ends after t published a link to a node, or took it back.
func (s *store) published(t *slot, n NodeID, live bool) {
	p := s.byNode[n]
	if p == nil || p == t || !p.publishes(t) {
		return
	}
	t.pair(p, live)
	p.pair(t, live)
	s.forgetDrop(p, t)
	if !live {
		s.addDrop(p, t)
	}
	s.touch(t)
	s.touch(p)
}

// pair adds p to the peers of s, or removes it.
func (s *slot) pair(p *slot, linked bool) {
	i, found := s.findPeer(p.node)
	switch {
	case linked && !found:
		s.peers = insertAt(s.peers, i, p, usualPeers)
	case !linked && found:
		s.peers = clip(slices.Delete(s.peers, i, i+1), usualPeers)
	}
}

// unpair removes all peers of a slot, whose record goes.
func (s *store) unpair(t *slot) {
	for _, p := range t.peers {
		p.pair(t, false)
		s.touch(p)
	}
	t.peers = nil
}

// putLink adds a link to a record and keeps what is derived from it.
func (s *store) putLink(t *slot, l LinkEntry) {
	s.forgetDrop(t, s.byNode[l.Node])
	was := t.rec.hasLink(l.Node)
	t.rec.putLink(l)
	if live := !l.Deleted(); live != was {
		s.published(t, l.Node, live)
	}
}

// bulkLinks is the number of links from which on they are put all at once.
const bulkLinks = 16

// putLinks adds links, ascending by version, to a record.
func (s *store) putLinks(t *slot, links []LinkEntry) {
	if len(links) < bulkLinks {
		if len(t.rec.links) == 0 {
			t.rec.links = make([]LinkEntry, 0, max(usualLinks, len(links))) // most records arrive whole
		}
		for _, l := range links {
			s.putLink(t, l)
		}
		return
	}
	before := record{links: t.rec.links}
	t.rec.putLinks(links)
	for _, l := range links {
		s.forgetDrop(t, s.byNode[l.Node])
		if live := t.rec.hasLink(l.Node); live != before.hasLink(l.Node) {
			s.published(t, l.Node, live)
		}
	}
}

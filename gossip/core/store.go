package core

import (
	"slices"
	"time"
)

// slot is the place of one node in the store: its record, and what we derived from it. A slot without a record is a node that
// others hold links to and that we have not heard of.
type slot struct {
	index  int
	node   NodeID
	rec    *record
	addr   string
	left   bool
	linked []int // indices of the slots it publishes links to, ascending

	up       bool
	risen    time.Duration // when it became up
	missed   time.Duration // since when it is up though it cannot be reached, see Core.spares; 0: it is not so
	seen     Moment        // when it was last up to anybody, as far as is known here; of no meaning while it is up
	want     want
	wantedAt time.Duration // when want became what it is
	call     *target       // dialling it; nil before the first time
	flaps    flaps
}

// publishes tells whether s says that it holds a link to t.
func (s *slot) publishes(t *slot) bool {
	_, ok := slices.BinarySearch(s.linked, t.index)
	return ok
}

// mutual tells whether the link between s and t exists: both ends publish it.
func (s *slot) mutual(t *slot) bool {
	return s.rec != nil && t.rec != nil && s.publishes(t) && t.publishes(s)
}

// store holds the records of all nodes. Its hash is the sum of the hashes of the records, so it costs the same however many
// there are, and equal hashes mean equal records.
type store struct {
	slots   []*slot // never reordered
	byNode  map[NodeID]*slot
	known   int // slots with a record
	hash    uint64
	buckets [NumBuckets]uint64
	size    int // of all records, in bytes
	limits  Limits
}

func newStore(l Limits) store {
	return store{byNode: map[NodeID]*slot{}, limits: l}
}

// slot returns the place of a node, new if need be; nil if there is no room for one more.
func (s *store) slot(n NodeID) *slot {
	t := s.byNode[n]
	if t == nil {
		if len(s.slots) >= slotsPerMember*s.limits.Members {
			return nil
		}
		t = &slot{index: len(s.slots), node: n}
		s.byNode[n] = t
		s.slots = append(s.slots, t)
	}
	return t
}

// begin starts an empty record of a new generation.
func (s *store) begin(t *slot, id string, generation uint64) {
	s.unhash(t)
	if t.rec == nil {
		s.known++
	}
	t.rec = &record{id: id, generation: generation}
	t.linked, t.left, t.addr = nil, false, ""
	s.rehash(t)
}

func (s *store) unhash(t *slot) {
	if t.rec != nil {
		h := t.rec.hash(t.node)
		s.size -= t.rec.size
		s.hash -= h
		s.buckets[t.node%NumBuckets] -= h
	}
}

func (s *store) rehash(t *slot) {
	h := t.rec.hash(t.node)
	s.size += t.rec.size
	s.hash += h
	s.buckets[t.node%NumBuckets] += h
}

// write appends an own entry at the next version, which it returns.
func (s *store) write(t *slot, e Entry) uint64 {
	s.unhash(t)
	t.rec.version++
	e.Version = t.rec.version
	s.put(t, e)
	s.rehash(t)
	return e.Version
}

// forgetTombstones raises the floor of an own record; that is a version of its own.
func (s *store) forgetTombstones(t *slot, floor uint64) {
	s.unhash(t)
	t.rec.version++
	t.rec.raiseFloor(floor)
	s.rehash(t)
}

// put adds an entry and keeps what is derived from it.
func (s *store) put(t *slot, e Entry) {
	t.rec.put(e)
	switch e.Kind {
	case KindLink:
		s.putLink(t, e)
	case KindMeta:
		switch e.Key {
		case MetaAddr:
			t.addr = e.Value
		case MetaLeft:
			t.left = !e.Deleted
		}
	}
}

func (s *store) putLink(t *slot, e Entry) {
	n, ok := linkTo(e)
	if !ok {
		return
	}
	to := s.slot(n)
	if to == nil {
		return
	}
	p := to.index
	i, found := slices.BinarySearch(t.linked, p)
	switch {
	case e.Deleted && found:
		t.linked = slices.Delete(t.linked, i, i+1)
	case !e.Deleted && !found:
		t.linked = slices.Insert(t.linked, i, p)
	}
}

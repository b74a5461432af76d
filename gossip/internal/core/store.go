package core

import "time"

// slot is the place of one node in the store: its record, and what we derived from it. A slot without a record is a node that
// we dial or hold a link to and that we have not heard of. A node has one for each member, so what only neighbours need is in target.
type slot struct {
	node  NodeID
	rec   *record
	addr  string
	peers []*slot // to which both ends publish a link, ascending by node; kept up to date by store.published

	index   int32 // in store.slots
	left    bool
	up      bool
	touched bool // it is in store.touched
	want    want
	risen   time.Duration // when it became up
	missed  time.Duration // since when it is up though it cannot be reached, see verdict.inGrace; 0: it is not so
	doubted bool          // it is up, and that may rest on old news, see verdict.isSure
	seen    Moment        // when it was last up to any node, as far as is known here; of no meaning while it is up
	gone    Moment        // seen, rounded up, once the member has been gone for long: it is part of the hash then, see ripen; 0: it has not
	call    *target       // dialling it; nil before it was first wanted or linked to
}

// store holds the records of all nodes. Its hash is the sum of the hashes of the records, so it costs the same however many
// there are, and equal hashes mean equal records.
type store struct {
	slots    []*slot // those that are given back leave no hole: the last one takes their place
	byNode   map[NodeID]*slot
	known    int // slots with a record
	departed int // of them, those that left
	hash     uint64
	buckets  [NumBuckets]uint64
	size     int // of all records, in bytes
	limits   Limits
	touched  []touched            // members that may be other than TakeChanged last returned
	now      time.Duration        // running time of this step
	drops    map[*slot][]linkDrop // by node: links to it that members took back of late, while it published them itself; few nodes have any
}

// touched is a member by its name and its place, which may be gone.
type touched struct {
	name string
	node NodeID
}

func newStore(l Limits) store {
	return store{byNode: map[NodeID]*slot{}, limits: l}
}

// touch records that a member may be other than TakeChanged last returned.
func (s *store) touch(t *slot) {
	if t.rec != nil && !t.touched {
		t.touched = true
		s.touched = append(s.touched, touched{t.rec.id, t.node})
	}
}

// slot returns the place of a node, new if need be; nil if there is no room for one more.
func (s *store) slot(n NodeID) *slot {
	t := s.byNode[n]
	if t == nil {
		if len(s.slots) >= slotsPerMember*s.limits.Members {
			return nil
		}
		t = &slot{index: int32(len(s.slots)), node: n}
		s.byNode[n] = t
		s.slots = append(s.slots, t)
	}
	return t
}

// giveBack drops the places of nodes without a record that are not used. The last place moves into each that is dropped, so
// that however many names come and go in the life of a process, it has as many places as it needs.
func (s *store) giveBack(used func(*slot) bool) {
	for i := 0; i < len(s.slots); {
		t := s.slots[i]
		if t.rec != nil || used(t) {
			i++
			continue
		}
		last := s.slots[len(s.slots)-1]
		s.slots[i], last.index = last, int32(i)
		s.slots[len(s.slots)-1] = nil
		s.slots = s.slots[:len(s.slots)-1]
		delete(s.byNode, t.node)
	}
}

// begin starts an empty record of a new generation.
func (s *store) begin(t *slot, id string, generation uint64) {
	s.unhash(t)
	if t.rec == nil {
		s.known++
	}
	if t.rec != nil && t.rec.id != id {
		t.touched = false // the name before is in store.touched, and this one is not
	}
	s.unpair(t)
	s.setLeft(t, false)
	t.rec, t.addr, t.gone = &record{id: id, generation: generation}, "", 0
	delete(s.drops, t)
	s.rehash(t)
}

// setLeft notes that a member has left, or is back, and keeps the count of those that have.
func (s *store) setLeft(t *slot, left bool) {
	if t.left == left {
		return
	}
	t.left = left
	if left {
		s.departed++
	} else {
		s.departed--
	}
}

// unhash takes a record that is about to change out of the hashes; rehash puts it back.
func (s *store) unhash(t *slot) {
	if t.rec != nil {
		s.touch(t)
		h := t.hash()
		s.size -= t.rec.size
		s.hash -= h
		s.buckets[t.node%NumBuckets] -= h
	}
}

// rehash adds a record that has changed to the hashes. Each change of a record lies between an unhash and a rehash; one outside of
// them would leave two nodes with equal records and different hashes for good, which compare their tables with every heartbeat.
func (s *store) rehash(t *slot) {
	s.touch(t)
	h := t.hash()
	s.size += t.rec.size
	s.hash += h
	s.buckets[t.node%NumBuckets] += h
}

// hash is that of the record, and of since when the member has been gone, once it has been for long.
func (t *slot) hash() uint64 {
	h := t.rec.hash(t.node)
	if t.gone != 0 {
		h = mix(h ^ mix(uint64(t.gone)))
	}
	return h
}

// setGone notes when a member that has been gone for long was last up, rounded; 0: it has not. A view does not show it.
func (s *store) setGone(t *slot, gone Moment) {
	if t.gone == gone {
		return
	}
	old := t.hash()
	t.gone = gone
	now := t.hash()
	s.hash += now - old
	s.buckets[t.node%NumBuckets] += now - old
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

// writeLink appends an own link at the next version.
func (s *store) writeLink(t *slot, n NodeID, deleted bool) {
	s.unhash(t)
	t.rec.version++
	s.putLink(t, Link(n, t.rec.version, deleted))
	s.rehash(t)
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
	if e.Kind != KindMeta {
		return
	}
	switch e.Key {
	case MetaAddr:
		t.addr = e.Value
	case MetaLeft:
		s.setLeft(t, !e.Deleted)
	}
}

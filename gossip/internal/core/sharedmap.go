package core

import (
	"cmp"
	"slices"
	"time"
)

// Space is the class of a shared entry; each has its own key space.
type Space uint8

// The spaces of the shared map.
const (
	SpaceUser   Space = 0 // keys of the application
	SpaceMember Space = 1 // key: name of a member that was removed
)

// SharedEntry is one key of the shared map: what its last writer made of it. It is identified by (Stamp, Writer) and immutable.
type SharedEntry struct {
	Space   Space
	Key     string
	Value   string
	Stamp   Stamp
	Writer  NodeID
	Expires int64 // milliseconds since 1970 from which on the key counts as deleted; 0: never
	Deleted bool  // a tombstone; Value is ""
}

// newer reports whether e was written after o in the total order that all nodes agree on: by stamp, then by writer.
func (e *SharedEntry) newer(o *SharedEntry) bool {
	return cmp.Or(cmp.Compare(e.Stamp, o.Stamp), cmp.Compare(e.Writer, o.Writer)) > 0
}

// live reports whether the key has a value at a moment.
func (e *SharedEntry) live(now Moment) bool {
	return !e.Deleted && (e.Expires == 0 || now < Moment(e.Expires))
}

// death is when the key of an entry that is not live lost its value. It follows from the entry alone, so all nodes that have the
// entry name the same moment.
func (e *SharedEntry) death() Moment { return max(MomentAt(e.Stamp.Time()), Moment(e.Expires)) }

// wellFormed reports whether an entry keeps the rules that do not depend on the time or on what else there is.
func (e *SharedEntry) wellFormed() bool {
	return len(e.Key) > 0 && len(e.Key) <= MaxKey && len(e.Value) <= MaxValue && !(e.Deleted && e.Value != "") &&
		e.Expires >= 0 && e.Expires <= maxExpires
}

const maxExpires = 1 << 50

func (e *SharedEntry) cost() int { return entryCost + len(e.Key) + len(e.Value) }

// buried is the tombstone of a value that has expired: the same write without its value.
func (e *SharedEntry) buried() *SharedEntry {
	b := *e
	b.Value, b.Deleted = "", true
	return &b
}

// id is the hash of the key, which places it in a bucket.
func (e *SharedEntry) id() uint64 { return SharedID(e.Space, e.Key) }

// version names the write in digests and announcements.
func (e *SharedEntry) version() SharedVersion {
	return SharedVersion{ID: e.id(), Stamp: e.Stamp, Writer: e.Writer}
}

// SharedID is the hash of a key that stands for it in digests. Its highest bit is set for SpaceMember and for no other space.
func SharedID(s Space, key string) uint64 {
	id := mix(fnv(key)^mix(uint64(s)+1)) &^ memberBit
	if s == SpaceMember {
		id |= memberBit
	}
	return id
}

const memberBit = 1 << 63

// isMemberID reports whether an ID is that of a key of SpaceMember.
func isMemberID(id uint64) bool { return id&memberBit != 0 }

// hash covers which write the entry is, and not its content: the same write has the same content everywhere, but for values that
// have expired, which are dropped a little sooner here than there.
func (e *SharedEntry) hash() uint64 {
	return mix(e.id() ^ mix(uint64(e.Stamp)^mix(uint64(e.Writer))))
}

// sharedMap is the last-writer-wins map of the cluster: per key the newest write wins, so merging is commutative, associative and
// idempotent (the LWW-Element-Set of Shapiro et al., INRIA 7506, with one stamp per element). A deleted key leaves a tombstone,
// without which a node that missed the delete would bring the key back. A tombstone goes when its key has been dead for the horizon,
// or when the floor reaches the moment of its death, see collect.
//
// Each call costs O(log n) in the number of entries, or less; no call depends on the time but those that are given a moment.
type sharedMap struct {
	limit   int           // bytes of the values, and as many again of the tombstones
	horizon time.Duration // how long tombstones are kept, if there is room

	cells   map[uint64]*cell
	sorted  [NumBuckets][]*cell // of each bucket, ascending by ID
	hash    uint64
	buckets [NumBuckets]uint64

	live, dead int      // bytes of the values, and of the tombstones
	removals   int      // entries of SpaceMember that are not tombstones: most clusters have none, see replica.isBanned
	floor      Moment   // keys of the application that died up to here have no tombstone any more; 0: none yet
	shrinking  bool     // the tombstones exceed the limit, or did until now and still take more than 7/8 of it
	expiring   cellHeap // values with a time to live, by its end
	graves     cellHeap // tombstones of the application, by the moment of death
	words      cellHeap // tombstones of the other spaces, by the moment of death; the floor spares them

	clock hlc
}

// cell is the place of one entry.
type cell struct {
	id    uint64
	entry *SharedEntry
	due   Moment // the key of its heap
	index int    // in its heap
	alone bool   // written here while there was no link, so that no other node can have it
	under Stamp  // of an entry written alone: that of the last one of its key that others may have; 0: there is none
}

func newSharedMap(limit int, horizon time.Duration) sharedMap {
	return sharedMap{limit: limit, horizon: horizon, cells: map[uint64]*cell{}}
}

func (m *sharedMap) find(s Space, key string) *SharedEntry {
	e := m.byID(SharedID(s, key))
	if e == nil || e.Space != s || e.Key != key {
		return nil
	}
	return e
}

// byID returns the entry of an ID, nil if there is none.
func (m *sharedMap) byID(id uint64) *SharedEntry {
	if c := m.cells[id]; c != nil {
		return c.entry
	}
	return nil
}

// put takes an entry if it is newer than what is there, and reports whether it did. A tombstone that the floor has reached takes
// away what it is newer than, and is not kept itself.
func (m *sharedMap) put(e *SharedEntry) bool {
	old := m.byID(e.id())
	switch {
	case old != nil && !e.newer(old):
		return false
	case !m.outlived(e):
		m.replace(e)
		return true
	case old != nil:
		m.drop(e.id())
		return true
	}
	return false
}

// outlived reports whether an entry is a tombstone that the floor has reached.
func (m *sharedMap) outlived(e *SharedEntry) bool {
	return e.Deleted && e.Space == SpaceUser && m.floor != 0 && e.death() <= m.floor
}

// replace takes an entry in the place of whatever is there.
func (m *sharedMap) replace(e *SharedEntry) {
	id := e.id()
	c := m.cells[id]
	if c == nil {
		c = &cell{id: id}
		m.cells[id] = c
		b := &m.sorted[id%NumBuckets]
		i, _ := slices.BinarySearchFunc(*b, id, compareCell)
		*b = slices.Insert(*b, i, c)
	} else {
		m.forget(c)
	}
	c.entry, c.alone, c.under = e, false, 0
	m.hash += e.hash()
	m.buckets[id%NumBuckets] += e.hash()
	*m.bytes(e) += e.cost()
	m.removals += e.removal()
	if h := m.heap(e); h != nil {
		c.due = e.death()
		h.push(c)
	}
}

// drop takes an entry out without a trace.
func (m *sharedMap) drop(id uint64) {
	c := m.cells[id]
	if c == nil {
		return
	}
	m.forget(c)
	delete(m.cells, id)
	b := &m.sorted[id%NumBuckets]
	if i, ok := slices.BinarySearchFunc(*b, id, compareCell); ok {
		*b = slices.Delete(*b, i, i+1)
	}
}

// forget takes the entry of a cell out of all sums and heaps.
func (m *sharedMap) forget(c *cell) {
	e := c.entry
	m.hash -= e.hash()
	m.buckets[c.id%NumBuckets] -= e.hash()
	*m.bytes(e) -= e.cost()
	m.removals -= e.removal()
	if h := m.heap(e); h != nil {
		h.remove(c)
	}
}

// removal is 1 for an entry that may remove a member, else 0.
func (e *SharedEntry) removal() int {
	if e.Space == SpaceMember && !e.Deleted {
		return 1
	}
	return 0
}

func compareCell(c *cell, id uint64) int { return cmp.Compare(c.id, id) }

// bytes is the sum that an entry counts in.
func (m *sharedMap) bytes(e *SharedEntry) *int {
	if e.Deleted {
		return &m.dead
	}
	return &m.live
}

// heap is the one that an entry waits in, nil if it stays for good.
func (m *sharedMap) heap(e *SharedEntry) *cellHeap {
	switch {
	case e.Deleted && e.Space == SpaceUser:
		return &m.graves
	case e.Deleted:
		return &m.words
	case e.Expires != 0:
		return &m.expiring
	}
	return nil
}

// inBuckets returns the entries in the buckets of a mask, bucket by bucket and in the order of their IDs.
func (m *sharedMap) inBuckets(mask uint64) []*SharedEntry {
	n := 0
	for b := range m.sorted {
		if mask>>b&1 == 1 {
			n += len(m.sorted[b])
		}
	}
	all := make([]*SharedEntry, 0, n)
	for b := range m.sorted {
		if mask>>b&1 == 1 {
			for _, c := range m.sorted[b] {
				all = append(all, c.entry)
			}
		}
	}
	return all
}

// writtenAlone returns the cells whose entries no other node can have, in the order in which they were written, and does not return them
// again: there is company now.
func (m *sharedMap) writtenAlone() (out []*cell) {
	for b := range m.sorted {
		for _, c := range m.sorted[b] {
			if c.alone {
				c.alone = false
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, func(a, b *cell) int { return cmp.Compare(a.entry.Stamp, b.entry.Stamp) })
	return out
}

// sharedSlack is by how much merging may exceed the limits that writers are held to, so that the halves of a partition can always
// become one.
const sharedSlack = 4

// hasRoom reports whether an entry of another node fits.
func (m *sharedMap) hasRoom(e *SharedEntry) bool { return *m.bytes(e)+e.cost() <= sharedSlack*m.limit }

// stampOf returns the stamp at which this node has a shared key, 0 if not at all.
func (m *sharedMap) stampOf(id uint64) Stamp {
	if e := m.byID(id); e != nil {
		return e.Stamp
	}
	return 0
}

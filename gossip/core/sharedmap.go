package core

import (
	"cmp"
	"time"
)

// Space is the class of a shared entry; each has its own key space.
type Space uint8

// The spaces of the shared map.
const (
	SpaceUser   Space = 0 // keys of the application
	SpaceMember Space = 1 // key: name of a member that was removed or forgotten
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

// newer tells whether e was written after o in the total order that all nodes agree on: by stamp, then by writer.
func (e *SharedEntry) newer(o *SharedEntry) bool {
	return cmp.Or(cmp.Compare(e.Stamp, o.Stamp), cmp.Compare(e.Writer, o.Writer)) > 0
}

// live tells whether the key has a value at a moment.
func (e *SharedEntry) live(now time.Time) bool {
	return !e.Deleted && (e.Expires == 0 || now.UnixMilli() < e.Expires)
}

func (e *SharedEntry) cost() int { return entryCost + len(e.Key) + len(e.Value) }

// id is the hash of the key, which places it in a bucket.
func (e *SharedEntry) id() uint64 { return SharedID(e.Space, e.Key) }

// SharedID is the hash of a key that stands for it in digests.
func SharedID(s Space, key string) uint64 { return mix(fnv(key) ^ mix(uint64(s)+1)) }

// hash covers which write the entry is, and not its content: the same write has the same content everywhere, but for values that
// have expired, which are dropped a little sooner here than there.
func (e *SharedEntry) hash() uint64 {
	return mix(e.id() ^ mix(uint64(e.Stamp)^mix(uint64(e.Writer))))
}

// sharedMap is the last-writer-wins map of the cluster: per key the newest write wins, so merging is commutative, associative and
// idempotent (the LWW-Element-Set of Shapiro et al., INRIA 7506, with one stamp per element). Deleted keys leave a tombstone for
// Config.Horizon.
type sharedMap struct {
	entries map[uint64]*SharedEntry
	hash    uint64
	buckets [NumBuckets]uint64
	size    int
	clock   hlc
	// collectAt is when the next value expires, or tombstone goes, at the latest.
	collectAt time.Time
}

func newSharedMap() sharedMap { return sharedMap{entries: map[uint64]*SharedEntry{}} }

func (m *sharedMap) find(s Space, key string) *SharedEntry {
	e := m.entries[SharedID(s, key)]
	if e == nil || e.Space != s || e.Key != key {
		return nil
	}
	return e
}

// put takes an entry if it is newer than what is there.
func (m *sharedMap) put(e *SharedEntry) bool {
	id := e.id()
	old := m.entries[id]
	if old != nil && !e.newer(old) {
		return false
	}
	m.drop(id)
	m.entries[id] = e
	m.hash += e.hash()
	m.buckets[id%NumBuckets] += e.hash()
	m.size += e.cost()
	if expires := time.UnixMilli(e.Expires); e.Expires != 0 && expires.Before(m.collectAt) {
		m.collectAt = expires
	}
	return true
}

func (m *sharedMap) drop(id uint64) {
	e := m.entries[id]
	if e == nil {
		return
	}
	delete(m.entries, id)
	m.hash -= e.hash()
	m.buckets[id%NumBuckets] -= e.hash()
	m.size -= e.cost()
}

// collect drops the values that have expired, and the tombstones older than the horizon. It returns the entries that changed,
// in the order of their IDs.
func (m *sharedMap) collect(now time.Time, horizon time.Duration) (changed []*SharedEntry) {
	for _, e := range m.inBuckets(^uint64(0)) {
		id := e.id()
		if e.live(now) {
			if expires := time.UnixMilli(e.Expires); e.Expires != 0 && expires.Before(m.collectAt) {
				m.collectAt = expires
			}
			continue
		}
		if e.past(now, horizon) {
			m.drop(id)
			changed = append(changed, e)
			continue
		}
		if !e.Deleted {
			buried := *e
			buried.Value, buried.Deleted = "", true
			m.size -= e.cost() - buried.cost()
			m.entries[id] = &buried
			changed = append(changed, e)
		}
	}
	return changed
}

// past tells whether a dead entry is so old that nobody who still takes part can have an older write of its key.
func (e *SharedEntry) past(now time.Time, horizon time.Duration) bool {
	return now.Sub(e.death()) > horizon
}

// death is when the key lost its value, of an entry that is not live.
func (e *SharedEntry) death() time.Time {
	died := e.Stamp.Time()
	if expired := time.UnixMilli(e.Expires); e.Expires != 0 && expired.After(died) {
		died = expired
	}
	return died
}

package core

import (
	"encoding/binary"
	"slices"
)

// HashID returns the NodeID of a name: FNV-1a, then a finalizer that spreads it over all 64 bits.
func HashID(id string) NodeID { return NodeID(mix(fnv(id))) }

func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finalizer of SplitMix64 (Steele et al., 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// linkKey is the key of the entry that publishes a link to a node.
func linkKey(n NodeID) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return string(b[:])
}

// linkTo is the reverse of linkKey; it is false for keys that are none.
func linkTo(e Entry) (NodeID, bool) {
	if e.Kind != KindLink || len(e.Key) != 8 {
		return 0, false
	}
	return NodeID(binary.BigEndian.Uint64([]byte(e.Key))), true
}

// record is all one node wrote about itself. Only its owner writes, so records are ordered by (generation, version), and equal
// (generation, version) reached by whole deltas means equal content.
type record struct {
	id         string
	generation uint64
	version    uint64
	floor      uint64
	entries    []Entry // ascending versions, one per key
	size       int     // cost of the entries, in bytes
	body       uint64  // sum of the hashes of the entries
}

// hash covers the entries and not only the version: while a long record arrives in pieces, two nodes may be at one version
// with different keys, and must not take each other for equal.
func (r *record) hash(n NodeID) uint64 {
	return mix(r.body ^ mix(uint64(n)^mix(r.generation^mix(r.version^mix(r.floor)))))
}

func (e *Entry) hash() uint64 {
	h := fnv(e.Key) ^ uint64(e.Kind)<<56
	if e.Deleted {
		h = ^h
	}
	return mix(h ^ mix(e.Version))
}

// grow makes room for n entries and no more: a record is written seldom, and there is one for each member.
func (r *record) grow(n int) {
	if cap(r.entries)-len(r.entries) < n {
		r.entries = append(make([]Entry, 0, len(r.entries)+n), r.entries...)
	}
}

// put adds an entry newer than all others, in place of the one with its key, which it returns.
func (r *record) put(e Entry) (old Entry, replaced bool) {
	for i := range r.entries {
		if o := &r.entries[i]; o.Kind == e.Kind && o.Key == e.Key {
			old, replaced = *o, true
			r.body -= o.hash()
			r.size -= o.cost()
			r.entries = slices.Delete(r.entries, i, i+1)
			break
		}
	}
	r.entries = append(r.entries, e)
	r.body += e.hash()
	r.size += e.cost()
	return old, replaced
}

// lookup returns the live entry with a key.
func (r *record) lookup(k Kind, key string) (Entry, bool) {
	for _, e := range r.entries {
		if e.Kind == k && e.Key == key {
			return e, !e.Deleted
		}
	}
	return Entry{}, false
}

// raiseFloor drops the tombstones up to version floor.
func (r *record) raiseFloor(floor uint64) {
	if floor <= r.floor {
		return
	}
	r.floor = floor
	r.entries = slices.DeleteFunc(r.entries, func(e Entry) bool {
		gone := e.Deleted && e.Version <= floor
		if gone {
			r.body -= e.hash()
			r.size -= e.cost()
		}
		return gone
	})
}

// after returns the entries above a version; they are shared and must not be written.
func (r *record) after(version uint64) []Entry {
	i, _ := slices.BinarySearchFunc(r.entries, version, func(e Entry, v uint64) int {
		if e.Version <= v {
			return -1
		}
		return 1
	})
	return r.entries[i:]
}

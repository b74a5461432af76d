package core

import (
	"hash/maphash"
	"slices"

	"github.com/tidwall/btree"
)

// HashID returns the NodeID of a name: FNV-1a, then a finalizer that spreads it over all 64 bits.
func HashID(id string) NodeID { return NodeID(mix(fnv(id))) }

const (
	fnvBasis = uint64(14695981039346656037)
	fnvPrime = 1099511628211
)

// fnv is FNV-1a with 64 bits: fast for the short strings that keys are, and the same in every process and version, which a seeded
// hash is not.
func fnv(s string) uint64 {
	h := fnvBasis
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

// HashKey returns the hash of a key for assigning it to nodes; it is the same in all versions.
func HashKey(key string) uint64 { return mix(fnv(key)) }

// Mix spreads a number over all 64 bits; it is the same in all versions.
func Mix(x uint64) uint64 { return mix(x) }

// mix is the finalizer of SplitMix64 (Steele et al., 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// entryMap finds entries by key. It is a B-tree whose copies share their nodes, so that a copy costs the same however many entries
// there are, and a write after it copies one path.
type entryMap = btree.Map[string, *Entry]

// record is all one node wrote about itself. Only its owner writes, so records are ordered by (generation, version), and equal
// (generation, version) reached by whole deltas means equal content.
//
// What always holds: no entry is above version; no two entries, links included, have one version, or one kind and key; its owner keeps
// no tombstone at or below floor. Mostly floor <= version. It is above while a record that replaces an older one arrives in parts: each part has the floor
// of the whole, and until version has reached it only parts of the same reset fit.
type record struct {
	id         string
	generation uint64
	version    uint64      // of the last write, which may have left no entry
	floor      uint64      // deletes up to here have no tombstone any more
	links      []LinkEntry // ascending by node, tombstones included
	log        []logged    // all other entries, ascending by version
	holes      int         // of log
	index      entryIndex  // of log
	size       int         // cost of links and entries, in bytes
	body       uint64      // sum of the hashes of links and entries
}

// logged is the place of an entry in the order of versions. The entry is nil once another one has its key: removing the place
// would move all that follow, so that is done for many at once.
type logged struct {
	version uint64
	entry   *Entry
}

// hash covers the entries and not only the version: while a long record arrives in pieces, two nodes may be at one version
// with different keys, and must not take each other for equal.
func (r *record) hash(n NodeID) uint64 {
	return mix(r.body ^ mix(uint64(n)^mix(r.generation^mix(r.version^mix(r.floor)))))
}

func (e *Entry) hash() uint64 { return entryHash(fnv(e.Key), e.Kind, e.Version, e.Deleted) }

// entryHash covers key, kind, version and tombstone. The value is not in it: one writer wrote it, at one version, so a version has one
// value. A tombstone inverts the key's hash, so that the two cannot cancel out in a sum.
func entryHash(key uint64, k Kind, version uint64, deleted bool) uint64 {
	h := key ^ uint64(k)<<56
	if deleted {
		h = ^h
	}
	return mix(h ^ mix(version))
}

// contentSeed is of this process: content hashes are compared within it only, and no peer can make two of them equal.
var contentSeed = maphash.MakeSeed()

// contentHash covers key and value, without the version.
func (e *Entry) contentHash() uint64 {
	return mix(maphash.String(contentSeed, e.Key) ^ mix(maphash.String(contentSeed, e.Value)))
}

// count returns the number of links and entries, tombstones included.
func (r *record) count() int { return len(r.links) + len(r.log) - r.holes }

// put adds an entry newer than all others, in place of the one with its key.
func (r *record) put(e Entry) {
	own := &e
	if old := r.index.set(own); old != nil {
		r.account(old, -1)
		r.vacate(old.Version)
	}
	r.log = append(r.log, logged{e.Version, own})
	r.account(own, 1)
}

// account adds an entry to what is kept about all of them, or with sign -1 takes it out.
func (r *record) account(e *Entry, sign int) {
	r.size += sign * e.cost()
	r.body += uint64(sign) * e.hash()
	if e.Kind == KindUser {
		r.index.user.account(e, sign)
	}
}

// vacate makes the place of a version a hole. Holes are closed when they are half of the log.
func (r *record) vacate(version uint64) {
	r.log[r.search(version)].entry = nil
	if r.holes++; r.holes > 8 && 2*r.holes > len(r.log) {
		r.log = slices.DeleteFunc(r.log, func(l logged) bool { return l.entry == nil })
		r.holes = 0
	}
}

// search returns the index of the first place at a version or above it.
func (r *record) search(version uint64) int {
	i, _ := slices.BinarySearchFunc(r.log, version, func(l logged, v uint64) int {
		if l.version < v {
			return -1
		}
		return 1
	})
	return i
}

// lookup returns the live entry with a key.
func (r *record) lookup(k Kind, key string) (Entry, bool) {
	if e := r.index.get(k, key); e != nil {
		return *e, !e.Deleted
	}
	return Entry{}, false
}

// meta returns the value of a key of KindMeta, "" if there is none.
func (r *record) meta(key string) string {
	e, _ := r.lookup(KindMeta, key)
	return e.Value
}

// raiseFloor drops the tombstones up to version floor.
func (r *record) raiseFloor(floor uint64) {
	if floor <= r.floor {
		return
	}
	r.floor = floor
	r.links = clip(slices.DeleteFunc(r.links, func(l LinkEntry) bool {
		gone := l.Deleted() && l.Version() <= floor
		if gone {
			r.accountLink(l, -1)
		}
		return gone
	}), usualLinks)
	r.holes = 0
	r.log = slices.DeleteFunc(r.log, func(l logged) bool {
		if l.entry == nil {
			return true
		}
		gone := l.entry.Deleted && l.version <= floor
		if gone {
			r.index.remove(l.entry)
			r.account(l.entry, -1)
		}
		return gone
	})
}

// hasTombstones reports whether raiseFloor would drop anything.
func (r *record) hasTombstones(floor uint64) bool {
	for _, l := range r.log[:r.search(floor+1)] {
		if l.entry != nil && l.entry.Deleted {
			return true
		}
	}
	return slices.ContainsFunc(r.links, func(l LinkEntry) bool { return l.Deleted() && l.Version() <= floor })
}

// after returns copies of the links and entries above a version, both ascending by version.
func (r *record) after(version uint64) (links []LinkEntry, entries []Entry) {
	n := 0
	for _, l := range r.links {
		if l.Version() > version {
			n++
		}
	}
	if n > 0 {
		links = make([]LinkEntry, 0, n)
		for _, l := range r.links {
			if l.Version() > version {
				links = append(links, l)
			}
		}
		sortLinks(links)
	}
	above := r.log[r.search(version+1):]
	if len(above) > 0 {
		entries = make([]Entry, 0, len(above))
	}
	for _, l := range above {
		if l.entry != nil {
			entries = append(entries, *l.entry)
		}
	}
	return links, entries
}

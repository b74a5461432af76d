package core

import (
	"errors"
	"fmt"
)

// Limits bound what the others can make a node keep. All nodes of a cluster need the same: what one of them refuses and another
// takes keeps their hashes apart.
type Limits struct {
	// Members is the number of records, those of members that are down or left included. 2 to 32,768.
	Members int
	// Record is the size of one record: keys, values and entryCost for each entry, tombstones included. 4 KiB to 64 MiB.
	Record int
	// State is the size of all records, at least Record.
	State int
	// Shared is the size of the shared map, tombstones included, that writers are held to; merging may exceed it fourfold, so
	// that two halves of a partition can always become one. 4 KiB to 64 MiB.
	Shared int
	// Key and Value are the sizes that this node itself may write, own or shared: 1 B to 1 KiB, and 0 to 256 KiB. It takes all
	// that the others write.
	Key, Value int
}

// DefaultLimits are far above what a healthy cluster needs, and far below what hurts a machine.
func DefaultLimits() Limits {
	return Limits{Members: 16384, Record: 1 << 20, State: 256 << 20, Shared: 8 << 20, Key: 256, Value: 64 << 10}
}

// Validate returns all that is wrong with l at once.
func (l Limits) Validate() error {
	var errs []error
	if l.Members < 2 || l.Members > 1<<15 {
		errs = append(errs, fmt.Errorf("limit of members is %d, want 2 to %d", l.Members, 1<<15))
	}
	if l.Record < 4<<10 || l.Record > 64<<20 {
		errs = append(errs, fmt.Errorf("limit of a record is %d bytes, want %d to %d", l.Record, 4<<10, 64<<20))
	}
	if l.State < l.Record {
		errs = append(errs, fmt.Errorf("limit of all records is %d bytes, want at least that of one, %d", l.State, l.Record))
	}
	if l.Shared < 4<<10 || l.Shared > 64<<20 {
		errs = append(errs, fmt.Errorf("limit of the shared map is %d bytes, want %d to %d", l.Shared, 4<<10, 64<<20))
	}
	if l.Key < 1 || l.Key > MaxKey {
		errs = append(errs, fmt.Errorf("limit of a key is %d bytes, want 1 to %d", l.Key, MaxKey))
	}
	if l.Value < 0 || l.Value > MaxValue {
		errs = append(errs, fmt.Errorf("limit of a value is %d bytes, want 0 to %d", l.Value, MaxValue))
	}
	return errors.Join(errs...)
}

// entry returns why a node must not write such a key and value, nil if it may.
func (l Limits) entry(key, value string) error {
	switch {
	case len(key) == 0 || len(key) > l.Key:
		return fmt.Errorf("the key has %d bytes, want 1 to %d", len(key), l.Key)
	case len(value) > l.Value:
		return fmt.Errorf("the value has %d bytes, at most %d are possible", len(value), l.Value)
	}
	return nil
}

// entryCost is what an entry takes besides its key and its value, in bytes.
const entryCost = 64

func (e *Entry) cost() int { return entryCost + len(e.Key) + len(e.Value) }

// slotsPerMember bounds the places of nodes that are known only from the links of others.
const slotsPerMember = 4

// admits reports whether a record may be added for a node that has none.
func (s *store) admits() bool { return s.known < s.limits.Members }

// excess returns what is wrong with a record that gains what a delta has above its version, "" if nothing is. A record that starts
// from nothing is nil: the delta takes the place of what there was.
func (s *store) excess(old, r *record, d *RecordDelta) string {
	grown, had := 0, 0
	if old != nil {
		had = old.size
	}
	have := uint64(0)
	if r != nil {
		grown, have = r.size, r.version
	}
	links, entries := d.above(have)
	grown += linkCost * len(links)
	for i := range entries {
		grown += entries[i].cost()
	}
	if r != nil && (grown > s.limits.Record || s.size-had+grown > s.limits.State) {
		grown -= r.replacedBy(links, entries)
	}
	switch {
	case grown > s.limits.Record:
		return "record too large"
	case s.size-had+grown > s.limits.State:
		return "records too large in all"
	}
	return ""
}

// replacedBy is the size of the links and entries in whose place others come.
func (r *record) replacedBy(links []LinkEntry, entries []Entry) int {
	n := 0
	counted := make(map[*Entry]bool, len(entries)) // one of a later protocol may write a key twice
	for i := range entries {
		if e := r.index.get(entries[i].Kind, entries[i].Key); e != nil && !counted[e] {
			counted[e] = true
			n += e.cost()
		}
	}
	nodes := make(map[NodeID]bool, len(links))
	for _, l := range links {
		if _, ok := r.findLink(l.Node); ok && !nodes[l.Node] {
			nodes[l.Node] = true
			n += linkCost
		}
	}
	return n
}

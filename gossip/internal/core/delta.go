package core

import (
	"cmp"
	"slices"
)

// outcome is what became of a RecordDelta.
type outcome uint8

const (
	applied outcome = iota
	old             // we have that, or newer
	gap             // it begins above what we have: ask
	broken          // it breaks a rule of the format
	over            // it breaks a limit
)

// change is what an applied delta did.
type change struct {
	slot  *slot
	prev  uint64 // version before, 0 if the record was replaced
	fresh bool   // first record of a node, or of its new life
	delta *RecordDelta
	why   string // of a delta that is over
}

// check reports whether a delta obeys the format. It comes from far away: nothing about it is taken for granted.
func (d *RecordDelta) check() bool {
	if d.Generation == 0 || d.Generation > MaxGeneration || d.From >= d.To || d.To > MaxVersion || d.count() > MaxEntries {
		return false
	}
	// Only a whole record carries the name, and the name must be that of the node: no record can be written under the hash of another.
	if d.From == 0 && (d.ID == "" || len(d.ID) > MaxID || HashID(d.ID) != d.Node) {
		return false
	}
	for i := range d.Entries {
		if e := &d.Entries[i]; len(e.Key) > MaxKey || len(e.Value) > MaxValue {
			return false
		}
	}
	// Links and entries lie in two lists, each in the order of the versions. Merged they must rise strictly within (From, To].
	last := d.From
	for links, entries := d.Links, d.Entries; len(links)+len(entries) > 0; {
		var v uint64
		v, links, entries = oldest(links, entries)
		if v <= last || v > d.To {
			return false
		}
		last = v
	}
	return true
}

// count returns the number of links and entries.
func (d *RecordDelta) count() int { return len(d.Links) + len(d.Entries) }

// oldest returns the lowest version of links and entries, of which there is one at least, and what remains without it.
func oldest(links []LinkEntry, entries []Entry) (uint64, []LinkEntry, []Entry) {
	if len(entries) == 0 || len(links) > 0 && links[0].Version() < entries[0].Version {
		return links[0].Version(), links[1:], entries
	}
	return entries[0].Version, links, entries[1:]
}

// apply merges a delta. The rules are those of Scuttlebutt: what is newer wins by (generation, version), nothing is taken over a
// gap; and of chitchat's reset: a node behind the floor cannot know which keys are gone and takes the whole record.
func (s *store) apply(d *RecordDelta) (change, outcome) {
	if !d.check() {
		return change{}, broken
	}
	t := s.byNode[d.Node]
	switch {
	case t == nil || t.rec == nil || d.Generation > t.rec.generation:
		if d.From != 0 { // a life begins with its name and its first version
			return change{}, gap
		}
		return s.replace(d, true)
	case d.Generation < t.rec.generation || d.To <= t.rec.version:
		return change{slot: t}, old
	case t.rec.version < t.rec.floor && d.Floor < t.rec.floor:
		return change{slot: t}, old // from before the reset we are in the middle of: it may hold keys that are gone since
	case d.From > t.rec.version:
		return change{slot: t}, gap
	case d.Floor > t.rec.version && d.Floor > t.rec.floor: // the tombstones of what was deleted since t.rec.version are gone at the owner
		if d.From != 0 {
			return change{slot: t}, gap
		}
		return s.replace(d, false)
	}
	if t.rec.count()+d.count() > 2*MaxEntries {
		return change{}, broken
	}
	// Before anything is merged: half a delta would be a version that its owner never had.
	if why := s.excess(t.rec, t.rec, d); why != "" {
		return change{why: why}, over
	}
	c := change{slot: t, prev: t.rec.version, delta: d}
	s.extend(t, d)
	return c, applied
}

// replace takes a whole record in the place of an older one, or of none.
func (s *store) replace(d *RecordDelta, fresh bool) (change, outcome) {
	t := s.slot(d.Node)
	if t == nil || t.rec == nil && !s.admits() {
		return change{why: "too many members"}, over
	}
	if why := s.excess(t.rec, nil, d); why != "" {
		return change{why: why}, over
	}
	s.begin(t, d.ID, d.Generation)
	s.extend(t, d)
	return change{slot: t, fresh: fresh, delta: d}, applied
}

// extend applies the part of a delta that is above the version of the record. The floor is raised last: the delta may bring entries in
// the place of tombstones below it. The version becomes that of the end of the delta, which may be above its last entry: raising the
// floor is a version of its own, without an entry.
func (s *store) extend(t *slot, d *RecordDelta) {
	s.unhash(t)
	have := t.rec.version
	links, entries := d.above(have)
	s.putLinks(t, links)
	for _, e := range entries {
		s.put(t, e)
	}
	t.rec.version = d.To
	t.rec.raiseFloor(d.Floor)
	s.rehash(t)
}

// since returns what a node at (version, floor) of the present generation lacks of a record; (0, 0) is nothing at all.
func (t *slot) since(version, floor uint64) RecordDelta {
	r := t.rec
	if r.floor > floor && version < r.floor {
		version = 0
	}
	d := RecordDelta{Node: t.node, Generation: r.generation, From: version, To: r.version, Floor: r.floor}
	if version == 0 {
		d.ID = r.id
	}
	d.Links, d.Entries = r.after(version)
	return d
}

// above returns the links and entries above a version; they are shared with the delta.
func (d *RecordDelta) above(version uint64) ([]LinkEntry, []Entry) {
	i, _ := slices.BinarySearchFunc(d.Links, version+1, func(l LinkEntry, v uint64) int { return cmp.Compare(l.Version(), v) })
	j, _ := slices.BinarySearchFunc(d.Entries, version+1, func(e Entry, v uint64) int { return cmp.Compare(e.Version, v) })
	return d.Links[i:], d.Entries[j:]
}

// weight is about what a delta takes on the wire, in bytes.
func (d *RecordDelta) weight() int {
	n := 40 + len(d.ID) + linkWeight*len(d.Links)
	for i := range d.Entries {
		n += d.Entries[i].weight()
	}
	return n
}

// linkWeight is about what a link takes on the wire, in bytes.
const linkWeight = 16

func (e *Entry) weight() int { return 8 + len(e.Key) + len(e.Value) }

// maxFrame is the weight at which a Delta is split, in bytes: a frame must not keep heartbeats waiting.
const maxFrame = 64 << 10

// addr returns the address in a delta, "" if it has none.
func (d RecordDelta) addr() string {
	i := slices.IndexFunc(d.Entries, func(e Entry) bool { return e.Kind == KindMeta && e.Key == MetaAddr })
	if i < 0 {
		return ""
	}
	return d.Entries[i].Value
}

// split cuts a delta heavier than maxFrame into several without a gap.
func (d RecordDelta) split() []RecordDelta { return d.appendParts(nil) }

// appendParts appends what split returns.
func (d RecordDelta) appendParts(parts []RecordDelta) []RecordDelta {
	for d.weight() > maxFrame && d.count() > 1 {
		head := d.cut(maxFrame / 2)
		parts = append(parts, head)
		d.Links, d.Entries = d.above(head.To)
		d.From, d.ID = head.To, ""
	}
	return append(parts, d)
}

// cut returns the oldest part of a delta: one link or entry at least, not all, and no more than it takes to reach a weight.
func (d RecordDelta) cut(weight int) RecordDelta {
	links, entries := d.Links, d.Entries
	for n, w := 0, 0; n == 0 || n < d.count()-1 && w < weight; n++ {
		left := len(entries)
		if d.To, links, entries = oldest(links, entries); len(entries) == left {
			w += linkWeight
		} else {
			w += d.Entries[len(d.Entries)-left].weight()
		}
	}
	d.Links = d.Links[:len(d.Links)-len(links)]
	d.Entries = d.Entries[:len(d.Entries)-len(entries)]
	return d
}

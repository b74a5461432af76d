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
	entry []Entry
	why   string // of a delta that is over
}

// check tells whether a delta obeys the format. It comes from far away: nothing about it is taken for granted.
func (d *RecordDelta) check() bool {
	if d.Generation == 0 || d.Generation > MaxGeneration || d.From >= d.To || len(d.Entries) > MaxEntries {
		return false
	}
	if d.From == 0 && (d.ID == "" || len(d.ID) > MaxID || HashID(d.ID) != d.Node) {
		return false
	}
	last := d.From
	for i := range d.Entries {
		e := &d.Entries[i]
		if e.Version <= last || e.Version > d.To || len(e.Key) > MaxKey || len(e.Value) > MaxValue {
			return false
		}
		last = e.Version
	}
	return true
}

// apply merges a delta. The rules are those of Scuttlebutt: what is newer wins by (generation, version), nothing is taken over a
// gap; and of chitchat's reset: who is behind the floor cannot know which keys are gone and takes the whole record.
func (s *store) apply(d *RecordDelta) (change, outcome) {
	if !d.check() {
		return change{}, broken
	}
	t := s.byNode[d.Node]
	switch {
	case t == nil || t.rec == nil || d.Generation > t.rec.generation:
		if d.From != 0 {
			return change{}, gap
		}
		return s.replace(d, true)
	case d.Generation < t.rec.generation || d.To <= t.rec.version:
		return change{slot: t}, old
	case t.rec.version < t.rec.floor && d.Floor < t.rec.floor:
		return change{slot: t}, old // from before the reset we are in the middle of: it may hold keys that are gone since
	case d.From > t.rec.version:
		return change{slot: t}, gap
	case d.Floor > t.rec.version && d.Floor > t.rec.floor:
		if d.From != 0 {
			return change{slot: t}, gap
		}
		return s.replace(d, false)
	}
	if len(t.rec.entries)+len(d.Entries) > 2*MaxEntries {
		return change{}, broken
	}
	if why := s.excess(t.rec, t.rec, d.Entries); why != "" {
		return change{why: why}, over
	}
	c := change{slot: t, prev: t.rec.version, entry: d.Entries}
	s.extend(t, d)
	return c, applied
}

// replace takes a whole record in the place of an older one, or of none.
func (s *store) replace(d *RecordDelta, fresh bool) (change, outcome) {
	t := s.slot(d.Node)
	if t == nil || t.rec == nil && !s.admits() {
		return change{why: "too many members"}, over
	}
	if why := s.excess(t.rec, nil, d.Entries); why != "" {
		return change{why: why}, over
	}
	s.begin(t, d.ID, d.Generation)
	s.extend(t, d)
	return change{slot: t, fresh: fresh, entry: d.Entries}, applied
}

func (s *store) extend(t *slot, d *RecordDelta) {
	s.unhash(t)
	have := t.rec.version
	t.rec.grow(len(d.Entries))
	for _, e := range d.Entries {
		if e.Version > have {
			s.put(t, e)
		}
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
	d.Entries = slices.Clone(r.after(version))
	return d
}

// behind compares what a digest says with a record: negative if the sender of the digest is behind.
func (e *DigestEntry) behind(r *record) int {
	return cmp.Or(cmp.Compare(e.Generation, r.generation), cmp.Compare(e.Version, r.version))
}

// weight is about what a delta takes on the wire, in bytes.
func (d *RecordDelta) weight() int {
	n := 40 + len(d.ID)
	for i := range d.Entries {
		n += 8 + len(d.Entries[i].Key) + len(d.Entries[i].Value)
	}
	return n
}

// maxFrame is the weight at which a Delta is split, in bytes: a frame must not keep heartbeats waiting.
const maxFrame = 64 << 10

// split cuts a delta heavier than maxFrame into several without a gap.
func (d RecordDelta) split() []RecordDelta {
	var parts []RecordDelta
	for d.weight() > maxFrame && len(d.Entries) > 1 {
		n, w := 0, 0
		for n < len(d.Entries)-1 && w < maxFrame/2 {
			w += 8 + len(d.Entries[n].Key) + len(d.Entries[n].Value)
			n++
		}
		head := d
		head.Entries, head.To = d.Entries[:n], d.Entries[n-1].Version
		parts = append(parts, head)
		d.Entries, d.From, d.ID = d.Entries[n:], head.To, ""
	}
	return append(parts, d)
}

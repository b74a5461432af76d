package core

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// history is an owner's store and every delta one could cut from it on the way.
func history(rng *rand.Rand, writes int) (*store, *slot, []RecordDelta) {
	s := newStore(DefaultLimits())
	t := s.slot(HashID("owner"))
	s.begin(t, "owner", 7)
	var deltas []RecordDelta
	for i := range writes {
		switch rng.IntN(8) {
		case 0:
			s.forgetTombstones(t, t.rec.floor+uint64(rng.IntN(int(t.rec.version-t.rec.floor)+1)))
		case 1, 2:
			s.write(t, Entry{Kind: KindUser, Key: fmt.Sprint(rng.IntN(9)), Deleted: true})
		case 3, 4:
			s.writeLink(t, NodeID(rng.IntN(9)), rng.IntN(2) == 0)
		default:
			s.write(t, Entry{Kind: KindUser, Key: fmt.Sprint(rng.IntN(9)), Value: fmt.Sprint(i)})
		}
		from := uint64(rng.IntN(int(t.rec.version)))
		deltas = append(deltas, t.since(from, from), t.since(0, 0))
	}
	return &s, t, deltas
}

// truncated cuts a delta off after some of its entries.
func truncated(rng *rand.Rand, d RecordDelta) RecordDelta {
	if d.count() > 1 && rng.IntN(3) == 0 {
		return d.cut(rng.IntN(d.weight()))
	}
	return d
}

func TestStoresConvergeUnderAnyOrderDuplicationAndTruncation(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 0))
		own, o, deltas := history(rng, 1+rng.IntN(40))
		other := newStore(DefaultLimits())
		for range 3 * len(deltas) {
			d := truncated(rng, deltas[rng.IntN(len(deltas))])
			if _, out := other.apply(&d); out == broken {
				t.Fatalf("seed %d: a delta of ours is taken for broken: %+v", seed, d)
			}
			checkHash(t, seed, &other)
		}
		catchUp(t, seed, rng, &other, o)
		if other.hash != own.hash {
			t.Errorf("seed %d: hashes differ after catching up", seed)
		}
		if d := cmp.Diff(o.since(0, 0), other.byNode[o.node].since(0, 0)); d != "" {
			t.Errorf("seed %d: records differ (-want +got):\n%s", seed, d)
		}
	}
}

// catchUp does what digests do, with deltas cut short, until nothing is lacking.
func catchUp(t *testing.T, seed uint64, rng *rand.Rand, s *store, o *slot) {
	t.Helper()
	for range 1000 {
		e := claim{}
		if mine := s.byNode[o.node]; mine != nil && mine.rec != nil {
			e = mine.claim()
		}
		if e.lo == o.rec.version {
			return
		}
		d := truncated(rng, o.since(e.lo, e.floor))
		if _, out := s.apply(&d); out != applied {
			t.Fatalf("seed %d: the answer to %+v is not taken: %+v", seed, e, d)
		}
	}
	t.Fatalf("seed %d: never catches up", seed)
}

// checkHash compares the running hashes and sizes with ones computed from nothing.
func checkHash(t *testing.T, seed uint64, s *store) {
	t.Helper()
	var hash uint64
	var size int
	var buckets [NumBuckets]uint64
	for _, p := range s.slots {
		if p.rec == nil {
			continue
		}
		r := record{generation: p.rec.generation, version: p.rec.version, floor: p.rec.floor, index: entryIndex{user: new(keySet)}}
		links, entries := p.rec.after(0)
		for _, l := range links {
			r.accountLink(l, 1)
		}
		for i := range entries {
			r.account(&entries[i], 1)
		}
		size += r.size
		if !r.keys().Equal(p.rec.keys()) || len(links)+len(entries) != p.rec.count() {
			t.Fatalf("seed %d: the keys are not counted as they are", seed)
		}
		hash += r.hash(p.node)
		buckets[p.node%NumBuckets] += r.hash(p.node)
	}
	if hash != s.hash || buckets != s.buckets || size != s.size {
		t.Fatalf("seed %d: hash or size is not that of the records", seed)
	}
}

func TestBrokenDeltasAreRefused(t *testing.T) {
	id := HashID("x")
	good := func() RecordDelta {
		return RecordDelta{Node: id, ID: "x", Generation: 1, To: 2, Entries: []Entry{{Kind: KindUser, Key: "k", Version: 1}, {Kind: KindUser, Key: "l", Version: 2}}}
	}
	for name, harm := range map[string]func(*RecordDelta){
		"no generation":                        func(d *RecordDelta) { d.Generation = 0 },
		"ends where it begins":                 func(d *RecordDelta) { d.From = 2 },
		"whole without a name":                 func(d *RecordDelta) { d.ID = "" },
		"a name of another hash":               func(d *RecordDelta) { d.ID = "y" },
		"versions do not ascend":               func(d *RecordDelta) { d.Entries[1].Version = 1 },
		"a version above the end":              func(d *RecordDelta) { d.Entries[1].Version = 3 },
		"a key too long":                       func(d *RecordDelta) { d.Entries[0].Key = string(make([]byte, MaxKey+1)) },
		"a value too long":                     func(d *RecordDelta) { d.Entries[0].Value = string(make([]byte, MaxValue+1)) },
		"a link below the start":               func(d *RecordDelta) { d.Links = []LinkEntry{Link(5, 0, false)} },
		"a link above the end":                 func(d *RecordDelta) { d.Links = []LinkEntry{Link(5, 3, false)} },
		"a link at a version of another entry": func(d *RecordDelta) { d.Links = []LinkEntry{Link(5, 2, true)} },
		"links do not ascend":                  func(d *RecordDelta) { d.To, d.Links = 4, []LinkEntry{Link(5, 4, true), Link(6, 3, true)} },
		"a version beyond all":                 func(d *RecordDelta) { d.To = MaxVersion + 1 },
		"too many links":                       func(d *RecordDelta) { d.Links = make([]LinkEntry, MaxEntries-1) },
		"too many entries":                     func(d *RecordDelta) { d.Entries = make([]Entry, MaxEntries+1) },
	} {
		s := newStore(DefaultLimits())
		d := good()
		harm(&d)
		if _, out := s.apply(&d); out != broken || s.known != 0 {
			t.Errorf("%s: outcome %d with %d records, want it refused", name, out, s.known)
		}
	}
	s := newStore(DefaultLimits())
	if d := good(); d.check() == false {
		t.Error("a good delta is refused")
	} else if _, out := s.apply(&d); out != applied {
		t.Errorf("outcome of a good delta = %d", out)
	}
}

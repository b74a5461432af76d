package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
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
			s.write(t, Entry{Kind: KindLink, Key: linkKey(NodeID(rng.IntN(9))), Deleted: rng.IntN(2) == 0})
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
	if n := len(d.Entries); n > 1 && rng.IntN(3) == 0 {
		d.Entries = d.Entries[:1+rng.IntN(n-1)]
		d.To = d.Entries[len(d.Entries)-1].Version
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
		if got := other.byNode[o.node]; !slices.Equal(got.rec.entries, o.rec.entries) || !sameLinks(&other, got, own, o) {
			t.Errorf("seed %d: entries differ: %v and %v", seed, got.rec.entries, o.rec.entries)
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

func sameLinks(a *store, ta *slot, b *store, tb *slot) bool {
	names := func(s *store, t *slot) []NodeID {
		var out []NodeID
		for _, i := range t.linked {
			out = append(out, s.slots[i].node)
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(names(a, ta), names(b, tb))
}

// checkHash holds the running hashes against ones computed from nothing.
func checkHash(t *testing.T, seed uint64, s *store) {
	t.Helper()
	var hash uint64
	var buckets [NumBuckets]uint64
	for _, p := range s.slots {
		if p.rec == nil {
			continue
		}
		r := *p.rec
		r.body = 0
		for i := range r.entries {
			r.body += r.entries[i].hash()
		}
		hash += r.hash(p.node)
		buckets[p.node%NumBuckets] += r.hash(p.node)
	}
	if hash != s.hash || buckets != s.buckets {
		t.Fatalf("seed %d: the hash is not that of the records", seed)
	}
}

func TestBrokenDeltasAreRefused(t *testing.T) {
	id := HashID("x")
	good := func() RecordDelta {
		return RecordDelta{Node: id, ID: "x", Generation: 1, To: 2, Entries: []Entry{{Kind: KindUser, Key: "k", Version: 1}, {Kind: KindUser, Key: "l", Version: 2}}}
	}
	for name, harm := range map[string]func(*RecordDelta){
		"no generation":           func(d *RecordDelta) { d.Generation = 0 },
		"ends where it begins":    func(d *RecordDelta) { d.From = 2 },
		"whole without a name":    func(d *RecordDelta) { d.ID = "" },
		"a name of another hash":  func(d *RecordDelta) { d.ID = "y" },
		"versions do not ascend":  func(d *RecordDelta) { d.Entries[1].Version = 1 },
		"a version above the end": func(d *RecordDelta) { d.Entries[1].Version = 3 },
		"a key too long":          func(d *RecordDelta) { d.Entries[0].Key = string(make([]byte, MaxKey+1)) },
		"a value too long":        func(d *RecordDelta) { d.Entries[0].Value = string(make([]byte, MaxValue+1)) },
		"too many entries":        func(d *RecordDelta) { d.Entries = make([]Entry, MaxEntries+1) },
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

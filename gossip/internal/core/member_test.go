package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// lone is a core that knows only itself.
func lone(tb testing.TB) *Core {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.ID, cfg.Addr, cfg.Generation = "self", "10.0.0.1:1", 1
	if err := cfg.Validate(); err != nil {
		tb.Fatal(err)
	}
	return New(cfg, rand.New(rand.NewPCG(1, 2)), time.Unix(1000, 0))
}

// crowded is a core that knows n more members, all up: each publishes links to the four on either side of it, the first one to
// this node too.
func crowded(tb testing.TB, n int) *Core {
	tb.Helper()
	c := lone(tb)
	now := c.clock.last
	c.Step(now, LinkUp{Link: 1, ID: memberName(0), Generation: 1, Addr: "10.0.0.2:1"})
	var records []RecordDelta
	for i := range n {
		d := RecordDelta{Node: HashID(memberName(i)), ID: memberName(i), Generation: 1, To: 9,
			Entries: []Entry{{Kind: KindMeta, Key: MetaAddr, Value: fmt.Sprint(memberName(i), ":1"), Version: 1}}}
		for k, to := range []int{i + 1, i + 2, i + 3, i + 4, i + n - 4, i + n - 3, i + n - 2, i + n - 1} {
			d.Links = append(d.Links, Link(HashID(memberName(to%n)), uint64(k+2), false))
		}
		if i == 0 {
			d.To++
			d.Links = append(d.Links, Link(c.self.node, d.To, false))
		}
		records = append(records, d)
	}
	for part := range slices.Chunk(records, 500) {
		c.Step(now, Received{Link: 1, Frame: &Delta{Records: part}})
	}
	c.Step(now.Add(c.cfg.Heartbeat/4), Tick{})
	for range 4 {
		c.Step(c.NextTick(), Received{Link: 1, Frame: &Beat{Wanted: true}})
	}
	if c.UpCount() != n+1 {
		tb.Fatalf("%d are up, want %d", c.UpCount(), n+1)
	}
	return c
}

func memberName(i int) string { return fmt.Sprintf("m%05d", i) }

// chaos has random things happen to a core that knows others by what a hostile and forgetful neighbour claims.
type chaos struct {
	rng     *rand.Rand
	core    *Core
	records map[string]*RecordDelta // what was last claimed of each
	link    LinkID
}

// step makes one thing happen.
func (x *chaos) step() {
	c, now := x.core, x.core.clock.last.Add(time.Duration(x.rng.IntN(20))*time.Millisecond)
	switch x.rng.IntN(12) {
	case 0:
		c.Step(now, Set{Key: fmt.Sprint("k", x.rng.IntN(5)), Value: fmt.Sprint(x.rng.IntN(3)), TTL: time.Duration(x.rng.IntN(2)) * time.Second})
	case 1:
		c.Step(now, Delete{Key: fmt.Sprint("k", x.rng.IntN(5))})
	case 2:
		x.link++
		c.Step(now, LinkUp{Link: x.link, ID: memberName(x.rng.IntN(12)), Generation: uint64(1 + x.rng.IntN(2)), Addr: "x:1", Dialled: x.rng.IntN(2) == 0})
	case 3:
		c.Step(now, LinkDown{Link: LinkID(1 + x.rng.IntN(int(x.link)))})
	case 4:
		c.Step(now, SharedSet{Key: "k", Value: fmt.Sprint(x.rng.IntN(100))})
	case 5:
		if x.rng.IntN(8) == 0 {
			c.Step(now, Remove{ID: memberName(x.rng.IntN(12))})
		}
	case 6:
		c.Step(c.NextTick(), Tick{})
	default:
		if l := c.links.list; len(l) > 0 {
			c.Step(now, Received{Link: l[x.rng.IntN(len(l))].id, Frame: &Delta{Records: []RecordDelta{x.claim()}}})
			c.Step(now, Received{Link: l[0].id, Frame: &Beat{}})
		}
	}
}

// claim is something new of a member: one entry more, a new life, or a whole record after a raised floor.
func (x *chaos) claim() RecordDelta {
	name := memberName(x.rng.IntN(12))
	last := x.records[name]
	if last == nil || x.rng.IntN(10) == 0 {
		generation := uint64(1)
		if last != nil {
			generation = last.Generation + uint64(x.rng.IntN(2))
		}
		last = &RecordDelta{Node: HashID(name), Generation: generation}
	}
	d := RecordDelta{Node: last.Node, Generation: last.Generation, From: last.To, To: last.To + 1, Floor: last.Floor}
	if d.From == 0 {
		d.ID = name
	}
	if x.rng.IntN(10) == 0 && d.From > 0 {
		d.Floor = d.From - uint64(x.rng.IntN(2))
	}
	for range 1 + x.rng.IntN(20) {
		switch x.rng.IntN(8) {
		case 0:
			d.Entries = append(d.Entries, Entry{Kind: KindMeta, Key: MetaAddr, Value: fmt.Sprint(x.rng.IntN(3), ":1"), Version: d.To})
		case 1:
			d.Entries = append(d.Entries, Entry{Kind: KindMeta, Key: MetaLeft, Deleted: x.rng.IntN(4) > 0, Version: d.To})
		case 2, 3:
			d.Entries = append(d.Entries, Entry{Kind: KindUser, Key: fmt.Sprint(x.rng.IntN(4)), Value: fmt.Sprint(x.rng.IntN(3)), Deleted: x.rng.IntN(3) == 0, Version: d.To})
		default:
			to := HashID(memberName(x.rng.IntN(12)))
			if x.rng.IntN(3) == 0 {
				to = x.core.self.node
			}
			d.Links = append(d.Links, Link(to, d.To, x.rng.IntN(4) == 0))
		}
		d.To++
	}
	d.To--
	x.records[name] = &d
	return d
}

func TestMembersKeptByWhatChangesEqualThoseMadeFromNothing(t *testing.T) {
	for seed := range uint64(60) {
		x := &chaos{rng: rand.New(rand.NewPCG(seed, 3)), core: lone(t), records: map[string]*RecordDelta{}, link: 1}
		shown := map[string]Member{}
		for i := range 300 {
			x.step()
			if i%3 != 0 {
				continue // so that some looks come after many changes
			}
			x.core.Show(shown)
			if err := x.core.CheckMembers(shown); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, i, err)
			}
			checkHash(t, seed, &x.core.store)
		}
	}
}

func TestTheKeysOfAMemberDoNotChangeWithLaterWrites(t *testing.T) {
	c := lone(t)
	c.Step(c.clock.last, Set{Key: "k", Value: "1"})
	before, _ := c.Member("self")
	c.Step(c.clock.last, Set{Key: "k", Value: "2"})
	c.Step(c.clock.last, Set{Key: "l", Value: "1"})
	after, _ := c.Member("self")
	if v, _ := before.Keys.Get("k"); v != "1" || before.Keys.Len() != 1 || before.Keys.Equal(after.Keys) {
		t.Errorf("the keys of before are %v", maps.Collect(before.Keys.From("")))
	}
	if v, _ := after.Keys.Get("k"); v != "2" || after.Keys.Len() != 2 {
		t.Errorf("the keys of after are %v", maps.Collect(after.Keys.From("")))
	}
}

func TestAWriteToTheSharedMapChangesNoMember(t *testing.T) {
	c := crowded(t, 30)
	c.TakeChanged()
	hash := c.SharedHash()
	c.Step(c.clock.last, SharedSet{Key: "k", Value: "v"})
	if changed := c.TakeChanged(); len(changed) > 0 || c.SharedHash() == hash {
		t.Errorf("changed are %v, the hash did change: %v", changed, c.SharedHash() != hash)
	}
}

func TestAMemberWithTooFewLinksIsDegraded(t *testing.T) {
	c := crowded(t, 30)
	for i := range 2 { // all but the link between the two and one more each
		d := RecordDelta{Node: HashID(memberName(10 + i)), Generation: 1, From: 9, To: 9}
		for k, to := range []int{2, 3, 4, -4, -3, -2} {
			d.To++
			d.Links = append(d.Links, Link(HashID(memberName(10+i+to)), uint64(10+k), true))
		}
		c.store.apply(&d)
	}
	for name, want := range map[string]Status{memberName(10): Degraded, memberName(11): Degraded, memberName(12): Up} {
		if m, _ := c.Member(name); m.Status != want {
			t.Errorf("%s is %v with %d links, want %v", name, m.Status, m.Links, want)
		}
	}
	shown := map[string]Member{}
	c.Show(shown)
	if err := c.CheckMembers(shown); err != nil {
		t.Error(err)
	}
}

// BenchmarkMembersAfterOneChange brings the members up to date after a change of one.
func BenchmarkMembersAfterOneChange(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, shown := crowded(b, n), map[string]Member{}
			c.Show(shown)
			version := map[int]uint64{}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				k := i * 7919 % n
				from := max(version[k], 10)
				if version[k] == 0 && k != 0 {
					from = 9
				}
				version[k] = from + 1
				d := RecordDelta{Node: HashID(memberName(k)), Generation: 1, From: from, To: from + 1,
					Entries: []Entry{{Kind: KindUser, Key: "k", Value: "v", Version: from + 1}}}
				if _, out := c.store.apply(&d); out != applied {
					b.Fatal("not applied")
				}
				c.Show(shown)
				i++
			}
		})
	}
}

// BenchmarkSharedSet writes to the shared map and brings the members up to date after each write.
func BenchmarkSharedSet(b *testing.B) {
	for _, n := range []int{3, 1000, 4000} {
		b.Run(fmt.Sprint("members=", n), func(b *testing.B) {
			c, shown := crowded(b, max(n, 16)), map[string]Member{}
			c.Show(shown)
			i := 0
			for b.Loop() {
				i++
				c.Step(c.clock.last.Add(time.Microsecond), SharedSet{Key: fmt.Sprint(i % 100), Value: fmt.Sprint(i)})
				c.Show(shown)
			}
		})
	}
}

func TestPhiAfterASilenceIsFiniteAndFallsWithTheNextFrame(t *testing.T) {
	c := lone(t)
	start := c.clock.last
	c.Step(start, LinkUp{Link: 1, ID: "peer", Generation: 1, Addr: "10.0.0.2:1", Dialled: true})
	until := func(at time.Duration, in func() Input) {
		for next := c.NextTick(); !next.After(start.Add(at)); next = c.NextTick() {
			c.Step(next, in())
		}
	}
	last := time.Duration(0)
	until(20*time.Second, func() Input {
		if c.now()-last < c.cfg.Heartbeat {
			return Tick{}
		}
		last = c.now()
		return Received{Link: 1, Frame: &Beat{Wanted: true}}
	})
	phi := func() float64 {
		all := c.LinkInfos()
		if len(all) != 1 || all[0].Peer != "peer" || !all[0].Dialled || all[0].Age != c.now() {
			t.Fatalf("links are %+v at %v, want one to peer since 0", all, c.now())
		}
		return all[0].Phi
	}
	before := phi()
	silent := c.now()
	until(silent+2900*time.Millisecond, func() Input { return Tick{} })
	if p := phi(); p != MaxPhi {
		t.Errorf("phi after 2.9 s of silence = %v, want the most, %v", p, MaxPhi)
	}
	c.Step(c.clock.last.Add(100*time.Millisecond), Received{Link: 1, Frame: &Beat{Wanted: true}})
	if p := phi(); p > 1 || before > 8 {
		t.Errorf("phi = %v with heartbeats and %v after one more, want less than 8 and 1", before, p)
	}
	if d := newDetector(0, time.Second); d.phi(10*365*24*time.Hour) != MaxPhi {
		t.Errorf("phi after ten years = %v, want %v", d.phi(10*365*24*time.Hour), MaxPhi)
	}
}

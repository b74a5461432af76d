package core

import (
	"fmt"
	"testing"
	"time"
)

func TestPlacesAreGivenBackHoweverManyNamesComeAndGo(t *testing.T) {
	l := DefaultLimits()
	l.Members = 8
	c := limited(t, l)
	now := c.clock.last
	for i := range 10 * slotsPerMember * l.Members {
		d := whole(fmt.Sprint("m", i), 1)
		d.Generation = uint64(i + 1)
		d.Entries = append(d.Entries, Entry{Kind: KindMeta, Key: MetaLeft, Version: 2})
		d.To = 2
		if why := rejected(c, d); why != "" {
			t.Fatalf("name %d: %q", i, why)
		}
		now = now.Add(200 * time.Millisecond)
		c.Step(now, Tick{})
	}
	if n := len(c.store.slots); n > 2*l.Members+maxSpare {
		t.Errorf("%d places after many names, want at most %d", n, 2*l.Members+maxSpare)
	}
	if c.store.known != l.Members {
		t.Errorf("%d records in a full table, want %d", c.store.known, l.Members)
	}
}

func TestAFullTableDropsWhoLeftThenWhoIsGoneLongest(t *testing.T) {
	order := []rank{ // who goes first comes first
		{left: true, seen: 5}, {left: true, seen: 6}, {seen: 1}, {seen: 2, node: 1}, {seen: 2, node: 2},
		{up: true, generation: 9}, {up: true, generation: 3}, {up: true, generation: 3, node: 0},
	}
	for i, a := range order {
		for j, b := range order {
			got := a.compare(b)
			if i < j && got > 0 || i > j && got < 0 {
				t.Errorf("compare(%+v, %+v) = %d", a, b, got)
			}
		}
	}
}

// recordOf returns a record with an address and links, at the first version that has all of them.
func recordOf(name string, seen Moment, links ...string) RecordDelta {
	d := RecordDelta{Node: HashID(name), ID: name, Generation: 1, Seen: seen,
		Entries: []Entry{{Kind: KindMeta, Key: MetaAddr, Value: name + ":1", Version: 1}}}
	for i, to := range links {
		d.Links = append(d.Links, Link(HashID(to), uint64(i+2), false))
	}
	d.To = uint64(len(links) + 1)
	return d
}

// meet links a node to another one, and returns once both are up to each other.
func (l *loner) meet(id LinkID, name string) {
	l.do(LinkUp{Link: id, ID: name, Generation: 1, Addr: name + ":1", Clock: l.now.UnixMilli()})
	l.receive(id, &Beat{Wanted: true})
	l.receive(id, &Delta{Records: []RecordDelta{recordOf(name, 0, l.cfg.ID)}})
}

func TestMembersAreForgottenUnlessAsManyAsAreUpCeasedTogether(t *testing.T) {
	for _, c := range []struct {
		apart time.Duration
		known int
	}{{time.Second, 4}, {20 * time.Second, 2}} {
		l := newLoner(func(c *Config) { c.ForgetAfter = time.Minute })
		l.meet(1, "b")
		gone := MomentAt(l.now.Add(-10 * time.Minute)) // both are due at one tick
		l.receive(1, &Delta{Records: []RecordDelta{recordOf("x", gone, "b"), recordOf("y", gone.Add(-c.apart), "b")}})
		for range 10 {
			l.pass(time.Second)
			l.receive(1, &Beat{Wanted: true})
		}
		if got := l.Known(); got != c.known {
			t.Errorf("%v apart: %d members are known, want %d", c.apart, got, c.known)
		}
	}
}

// A record that a neighbour has not brought up to date yet makes a member rise that is gone; nothing is to look as if it was up of late.
func TestAMemberThatRisesForAMomentIsNotReportedAsUp(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	l.meet(2, "c")
	gone := MomentAt(l.now.Add(-time.Hour))
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("x", gone, "y"), recordOf("y", gone, "x")}})
	l.pass(time.Second)
	out := l.receive(1, &Delta{Records: []RecordDelta{
		{Node: HashID("b"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("x"), 3, false)}},
		{Node: HashID("x"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("b"), 3, false)}},
		{Node: HashID("x"), Generation: 1, From: 3, To: 4, Links: []LinkEntry{Link(HashID("y"), 4, true)}}}})
	out = append(out, l.receive(2, &Digest{Entries: []DigestEntry{{Node: HashID("y")}}})...)
	answer := sent[*Delta](out, 2)
	if len(answer) != 1 || len(answer[0].Records) != 1 || answer[0].Records[0].Seen != gone {
		t.Errorf("the record of y is sent as %+v, want it last seen at %v", answer, gone)
	}
	l.pass(l.cfg.Hold)
	if y := l.store.byNode[HashID("y")]; y.up || y.seen != gone {
		t.Errorf("y is up: %v, last seen at %v, want %v", y.up, y.seen, gone)
	}
	if x := l.store.byNode[HashID("x")]; !x.up || l.judge.seenOf(x) != 0 {
		t.Errorf("x is up: %v, last seen at %v, want it up", x.up, l.judge.seenOf(x))
	}
}

// Here no member has taken back a link to the one that rises, so that it is spared for Config.Hold before it falls.
func TestAMemberThatRisesForAMomentIsNotReportedAsUpWhileItIsSpared(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	gone := MomentAt(l.now.Add(-time.Hour))
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("x", gone, "y"), recordOf("y", gone, "x")}})
	l.pass(time.Second)
	l.receive(1, &Delta{Records: []RecordDelta{
		{Node: HashID("b"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("x"), 3, false)}},
		{Node: HashID("x"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("b"), 3, false)}},
		{Node: HashID("b"), Generation: 1, From: 3, To: 4, Links: []LinkEntry{Link(HashID("x"), 4, true)}}}})
	l.pass(l.cfg.Hold / 2)
	y := l.store.byNode[HashID("y")]
	if !y.up || l.judge.seenOf(y) != gone {
		t.Errorf("y is up: %v, reported as last seen at %v, want it spared and %v", y.up, l.judge.seenOf(y), gone)
	}
	l.pass(l.cfg.Hold)
	if y.up || y.seen != gone {
		t.Errorf("y is up: %v, last seen at %v, want %v", y.up, y.seen, gone)
	}
}

// At a heal the record of z, which was up on the other side, is here a moment before the one in which z takes back its link to x.
func TestAMemberThatRisesByOldNewsIsNotReportedAsUpBeforeNeighboursWereCompared(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	gone := MomentAt(l.now.Add(-time.Hour))
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("x", gone, "z"), recordOf("z", gone, "x")}})
	l.pass(time.Second)
	l.receive(1, &Delta{Records: []RecordDelta{
		{Node: HashID("b"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("z"), 3, false)}},
		{Node: HashID("z"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("b"), 3, false)}}}})
	l.pass(200 * time.Millisecond)
	x, z := l.store.byNode[HashID("x")], l.store.byNode[HashID("z")]
	if !x.up || l.judge.seenOf(x) != gone {
		t.Errorf("x is up: %v, reported as last seen at %v, want it up and %v", x.up, l.judge.seenOf(x), gone)
	}
	l.receive(1, &Delta{Records: []RecordDelta{
		{Node: HashID("z"), Generation: 1, From: 3, To: 4, Links: []LinkEntry{Link(HashID("x"), 4, true)}}}})
	l.pass(l.cfg.Hold)
	if x.up || x.seen != gone {
		t.Errorf("x is up: %v, last seen at %v, want %v", x.up, x.seen, gone)
	}
	l.receive(1, &Beat{Wanted: true, Hash: l.Hash()})
	l.pass(time.Second)
	if !z.up || l.judge.seenOf(z) != 0 || len(l.judge.doubts) > 0 {
		t.Errorf("z is up: %v, reported as last seen at %v after a comparison, want it up; %d are in doubt", z.up, l.judge.seenOf(z), len(l.judge.doubts))
	}
}

// A process that starts again dials before its new record is here; the old one has links to members that went with it.
func TestALinkToANewLifeIsNotPublishedBeforeItsRecordHasCome(t *testing.T) {
	l := newLoner(nil)
	gone := MomentAt(l.now.Add(-time.Hour))
	l.meet(1, "b")
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("x", gone, l.cfg.ID, "y"), recordOf("y", gone, "x")}})
	l.do(LinkUp{Link: 2, ID: "x", Generation: 2, Addr: "x:1", Clock: l.now.UnixMilli()})
	l.receive(2, &Beat{Wanted: true})
	l.pass(time.Second)
	if l.IsUp(HashID("x")) || l.IsUp(HashID("y")) {
		t.Fatal("members are up by the record of a life that is over")
	}
	now := recordOf("x", 0, l.cfg.ID)
	now.Generation = 2
	l.receive(2, &Delta{Records: []RecordDelta{now}})
	l.pass(10 * time.Millisecond)
	if !l.IsUp(HashID("x")) || l.IsUp(HashID("y")) || l.store.byNode[HashID("y")].seen != gone {
		t.Errorf("with the record of the new life: x up %v, y up %v, last seen %v; want x alone, y last seen %v",
			l.IsUp(HashID("x")), l.IsUp(HashID("y")), l.store.byNode[HashID("y")].seen, gone)
	}
}

func TestMembersOfOneCutThatComeBackOneByOneAreKeptAfterTheFirst(t *testing.T) {
	l := newLoner(func(c *Config) { c.ForgetAfter = time.Minute })
	l.meet(1, "b")
	gone := MomentAt(l.now.Add(-10 * time.Minute))
	for i, name := range []string{"x", "y", "x"} { // b keeps both; the time for which x is not taken back ends after y came
		if i == 2 {
			clear(l.forgetting.forgotten)
		}
		l.receive(1, &Delta{Records: []RecordDelta{recordOf(name, gone, "b")}})
		for range 5 {
			l.pass(time.Second)
			l.receive(1, &Beat{Wanted: true})
		}
		if got, want := l.Known(), 2+i; got != want {
			t.Fatalf("after %d members: %d are known, want %d", i+1, got, want)
		}
	}
}

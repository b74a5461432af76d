package core

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// withMember gives the node a record of a member at an address, and a link between the two that both publish.
func (l *loner) withMember(t *testing.T, name string, linkedTo ...*slot) *slot {
	t.Helper()
	node := HashID(name)
	d := RecordDelta{Node: node, ID: name, Generation: 1, To: 1,
		Entries: []Entry{{Version: 1, Kind: KindMeta, Key: MetaAddr, Value: name + ":1"}}}
	for i, p := range linkedTo {
		d.To = uint64(i + 2)
		d.Links = append(d.Links, Link(p.node, d.To, false))
	}
	ch, out := l.store.apply(&d)
	if out != applied {
		t.Fatalf("record of %s: %v, %s", name, out, ch.why)
	}
	for _, p := range linkedTo {
		l.store.writeLink(p, node, false)
	}
	return ch.slot
}

func TestTheVerdictReachesAllBehindALinkAndLosesThemWithIt(t *testing.T) {
	l := newLoner(nil)
	b := l.withMember(t, "b", l.self)
	c := l.withMember(t, "c", b)
	alone := l.withMember(t, "d")
	l.judge.relink(b, false)
	if !b.up || !c.up || alone.up || l.judge.up != 3 {
		t.Fatalf("up: b %v, c %v, d %v, %d in all; want b, c and this node", b.up, c.up, alone.up, l.judge.up)
	}
	l.store.writeLink(b, c.node, true)
	if n := l.judge.countReachable(); n != 2 {
		t.Errorf("%d can be reached without the link between b and c, want 2", n)
	}
}

func TestNeighboursAreTheNextOnesOnTheRing(t *testing.T) {
	l := newLoner(nil)
	var all []*slot
	for i := range 40 {
		m := l.withMember(t, fmt.Sprint("m", i), l.self)
		l.judge.setUp(m, true)
		all = append(all, m)
	}
	for ring := range l.cfg.Rings {
		place := l.ring.place(ring)
		slices.SortFunc(all, func(a, b *slot) int {
			if place.distance(a) < place.distance(b) {
				return -1
			}
			return 1
		})
		succ, pred := l.ring.adjacent(ring)
		if succ != all[0] || pred != all[len(all)-1] {
			t.Errorf("ring %d: not the next and the last one around the ring", ring)
		}
	}
	wanted := l.ring.neighbours()
	if len(wanted) > 2*l.cfg.Rings || len(wanted) < l.cfg.Rings {
		t.Errorf("%d neighbours on %d rings", len(wanted), l.cfg.Rings)
	}
}

func TestAFewMembersAreAFullMesh(t *testing.T) {
	l := newLoner(nil)
	for i := range 2 * l.cfg.Rings {
		l.judge.setUp(l.withMember(t, fmt.Sprint("m", i), l.self), true)
	}
	if n := len(l.ring.neighbours()); n != 2*l.cfg.Rings {
		t.Errorf("links to %d of %d others", n, 2*l.cfg.Rings)
	}
}

func TestAMemberIsDueToBeForgottenByItsAgeAlone(t *testing.T) {
	l := newLoner(func(c *Config) { c.ForgetAfter = time.Hour })
	gone, here := l.withMember(t, "gone"), l.withMember(t, "here", l.self)
	l.judge.setUp(here, true)
	l.forgetting.saw(gone, l.cluster.moment().Add(-time.Hour-time.Minute)) // the moment is rounded up
	due, down := l.forgetting.aged()
	if !slices.Equal(due, []*slot{gone}) || len(down) != 1 {
		t.Errorf("due: %d members, down: %v; want the one that is gone", len(due), down)
	}
	if l.forgetting.age(here) != 0 {
		t.Errorf("a member that is up has the age %v", l.forgetting.age(here))
	}
	l.forgetting.forgetLife(gone, l.now.Sub(start)+time.Minute)
	if _, ok := l.Member("gone"); ok || l.forgetting.forgotten[gone.node].generation != 1 {
		t.Error("it is still known, or its life is not remembered as forgotten")
	}
}

func TestWhatIsWrittenAgainBeforeItIsSentLeavesOnce(t *testing.T) {
	l := newLoner(nil)
	for i := range 3 {
		prev := l.self.rec.version
		l.store.write(l.self, Entry{Kind: KindUser, Key: "k", Value: fmt.Sprint(i)})
		l.flood.wrote(prev, true)
	}
	items := l.flood.take(true)
	if len(items) != 1 || items[0].slot != l.self {
		t.Fatalf("%d items wait, want the own record once", len(items))
	}
	if l.flood.take(true) != nil {
		t.Error("what was taken still waits")
	}
}

func TestAWriteIsAboveWhatItReplacesWhateverTheOwnClockShows(t *testing.T) {
	l := newLoner(nil)
	ahead := stampAt(l.cluster.moment().Add(30 * time.Second))
	l.shared.put(&SharedEntry{Key: "k", Value: "theirs", Stamp: ahead, Writer: 7})
	l.replica.write(SharedEntry{Key: "k", Value: "ours"})
	if e := l.shared.find(SpaceUser, "k"); e.Value != "ours" || e.Stamp <= ahead {
		t.Errorf("%q at %v, after a write at %v", e.Value, e.Stamp, ahead)
	}
	if l.replica.refuses(&SharedEntry{Key: "k", Value: "x", Stamp: stampAt(l.cluster.moment().Add(time.Hour)), Writer: 7}) != ReasonClockAhead {
		t.Error("a write an hour ahead of all clocks is taken")
	}
}

func TestADialThatFailsWaitsTwiceAsLongEachTimeUpToTheCap(t *testing.T) {
	l := newLoner(nil)
	l.dials.name([]string{"b:1"}, l.Core.now())
	b := l.dials.seeds[0]
	last := time.Duration(0)
	for range 20 {
		b.next = 0
		if !l.dials.dial(b, b.addr) || l.dials.dial(b, b.addr) {
			t.Fatal("want one dial in flight")
		}
		l.dials.failed(DialFailed{Attempt: b.attempt})
		if b.backoff < last {
			t.Fatalf("the pause shrank from %v to %v", last, b.backoff)
		}
		last = b.backoff
	}
	if last != l.cfg.DialCap {
		t.Errorf("the longest pause is %v, want %v", last, l.cfg.DialCap)
	}
}

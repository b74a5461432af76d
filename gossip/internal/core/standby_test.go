package core

import (
	"testing"
	"time"
)

// pair returns a node that has one neighbour, b, up, and a link to it that lived for a while.
func pair() *loner {
	l := newLoner(nil)
	l.meet(1, "b")
	for range 10 {
		l.pass(time.Second)
		l.receive(1, &Beat{Wanted: true, Hash: l.Hash()})
	}
	return l
}

// dials returns the dials among outputs.
func dials(out []Output) (all []Dial) {
	for _, o := range out {
		if d, ok := o.(Dial); ok {
			all = append(all, d)
		}
	}
	return all
}

func TestThePeerOfAnOnlyLinkThatIsSilentIsDialledAndTheNewStreamTakesItsPlace(t *testing.T) {
	l := pair()
	if d := dials(l.pass(1200 * time.Millisecond)); len(d) > 0 {
		t.Fatalf("a link that is not overdue yet has its peer dialled: %+v", d)
	}
	d := dials(l.pass(time.Second))
	if len(d) != 1 || d[0].Addr != "b:1" {
		t.Fatalf("dials %+v, want one of b", d)
	}
	out := l.do(LinkUp{Link: 2, ID: "b", Generation: 1, Addr: "b:1", Attempt: d[0].Attempt, Dialled: true, Clock: l.now.UnixMilli()})
	if l.links.byID[2] == nil || l.links.byID[1] != nil || len(sent[*Beat](out, 2)) != 1 {
		t.Errorf("the new stream did not take the place of the link: %v", out)
	}
	if bye := sent[*Bye](out, 1); len(bye) != 1 || bye[0].Reason != ByeCrossed {
		t.Errorf("the link ends with %v, want one Bye that another stream stays", bye)
	}
	if b := l.store.byNode[HashID("b")]; !b.up || !l.self.publishes(b) {
		t.Errorf("b is up: %v, the link to it is published: %v, want both", b.up, l.self.publishes(b))
	}
}

func TestANewStreamIsClosedIfTheLinkIsNotSilentAnyMore(t *testing.T) {
	l := pair()
	d := dials(l.pass(2 * time.Second))
	l.receive(1, &Beat{Wanted: true, Hash: l.Hash()})
	l.do(LinkUp{Link: 2, ID: "b", Generation: 1, Addr: "b:1", Attempt: d[0].Attempt, Dialled: true, Clock: l.now.UnixMilli()})
	if l.links.byID[1] == nil || l.links.byID[2] != nil {
		t.Error("a link that works lost its place")
	}
	if d := dials(l.pass(2 * time.Second)); len(d) != 1 {
		t.Errorf("the next silence has %d dials, want one at once", len(d))
	}
}

func TestTheEndOfADialThatIsUnderWayDecidesWhetherAnOnlyLinkStaysPublished(t *testing.T) {
	l := pair()
	d := dials(l.pass(l.cfg.Silence + 500*time.Millisecond))
	b := l.store.byNode[HashID("b")]
	if l.links.byPeer[b] != nil || !b.up {
		t.Fatalf("there is a link: %v, b is up: %v; want the link closed and b up while it is dialled", l.links.byPeer[b] != nil, b.up)
	}
	l.do(DialFailed{Attempt: d[0].Attempt})
	l.pass(2 * l.cfg.Hold)
	if b.up {
		t.Error("b is up though it cannot be dialled")
	}
}

func TestThePeerOfALinkThatIsNotTheOnlyOneIsNotDialled(t *testing.T) {
	l := pair()
	l.meet(2, "c")
	links := []RecordDelta{
		{Node: HashID("b"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("c"), 3, false)}},
		{Node: HashID("c"), Generation: 1, From: 2, To: 3, Links: []LinkEntry{Link(HashID("b"), 3, false)}}}
	l.receive(2, &Delta{Records: links})
	for range 6 {
		l.pass(time.Second)
		l.receive(1, &Beat{Wanted: true})
		l.receive(2, &Beat{Wanted: true})
	}
	l.receive(2, &Beat{Wanted: true})
	if d := dials(l.pass(2 * time.Second)); len(d) > 0 {
		t.Errorf("dials %+v, want none", d)
	}
}

package core

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// grow sends what a member wrote to its record: links, at the versions that follow.
func (l *loner) grow(name string, links ...LinkEntry) {
	from := l.store.byNode[HashID(name)].rec.version
	for i := range links {
		links[i] = Link(links[i].Node, from+uint64(i)+1, links[i].Deleted())
	}
	l.receive(1, &Delta{Records: []RecordDelta{{Node: HashID(name), Generation: 1, From: from, To: from + uint64(len(links)), Links: links}}})
}

func on(name string) LinkEntry  { return Link(HashID(name), 1, false) }
func off(name string) LinkEntry { return Link(HashID(name), 1, true) }

// chain returns a core that is linked to b, which is linked to z and x, which are linked to each other, and to three more, so that a verdict against
// z and x is not one against most members.
func chain() *loner {
	l := newLoner(nil)
	l.meet(1, "b")
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("z", 0, "b", "x"), recordOf("x", 0, "b", "z"), recordOf("u", 0, "b"),
		recordOf("v", 0, "b"), recordOf("w", 0, "b")}})
	l.grow("b", on("z"), on("x"), on("u"), on("v"), on("w"))
	l.pass(100 * time.Millisecond)
	return l
}

func TestAMemberIsSparedWhoseLinkIsWithheldSinceAnEarlierCut(t *testing.T) {
	l := chain()
	l.grow("b", off("x"))
	l.grow("x", off("b"), on("b")) // it published the link again, and b has not
	l.pass(100 * time.Millisecond)
	l.grow("b", off("z"))
	l.pass(100 * time.Millisecond)
	if l.IsUp(HashID("z")) {
		t.Error("z is up, though the only member that can be reached took back its link to it")
	}
	if !l.IsUp(HashID("x")) {
		t.Error("x is down, though all between it and this node are gone and not the member itself")
	}
	l.pass(l.cfg.Hold)
	if l.IsUp(HashID("x")) {
		t.Error("x is up after the time for which members are spared")
	}
}

func TestAMemberIsSparedOfWhichMostNeighboursCannotBeReached(t *testing.T) {
	l := chain()
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("y", 0, "z", "x")}})
	l.grow("x", on("y"))
	l.grow("z", on("y"))
	l.pass(100 * time.Millisecond)
	l.grow("b", off("x"), off("z")) // as one that did not want the link to x, a moment before the cut
	l.pass(100 * time.Millisecond)
	if !l.IsUp(HashID("x")) {
		t.Error("x is down, though two of its three neighbours may reach it")
	}
}

// A member that was cut off from its neighbours and finds others is not known to have links to them before they publish them.
func TestAMemberIsSparedThatLosesItsNeighboursAndHasALinkToThisNode(t *testing.T) {
	l := chain()
	l.grow("b", off("x"))
	l.do(LinkUp{Link: 2, ID: "x", Generation: 1, Addr: "x:1", Clock: l.now.UnixMilli()})
	l.grow("x", off("z"))
	out := l.pass(200 * time.Millisecond)
	for _, o := range out {
		if j, ok := o.(Judged); ok && j.ID == "x" && !j.Up {
			t.Error("x is down, though it holds a link to this node")
		}
	}
}

func TestAMemberIsSparedThatPublishesAgainTheLinkThatWasTakenBack(t *testing.T) {
	l := chain()
	l.grow("b", off("x"))
	l.grow("x", on("b"), off("z"))
	l.pass(200 * time.Millisecond)
	if !l.IsUp(HashID("x")) {
		t.Error("x is down, though it has just published a link")
	}
}

// A member that is not alive has no links that stand: all that had one took it back.
func TestAMemberThatAllItsNeighboursDroppedIsDownAtOnce(t *testing.T) {
	l := chain()
	l.grow("z", off("x"))
	l.grow("b", off("x"))
	l.pass(100 * time.Millisecond)
	if l.IsUp(HashID("x")) || !l.IsUp(HashID("z")) {
		t.Errorf("x up %v, z up %v, want x down and z up", l.IsUp(HashID("x")), l.IsUp(HashID("z")))
	}
}

func TestAnUnwantedLinkIsKeptWhileItsPeerHasLostMostOfItsLinks(t *testing.T) {
	const n = 14
	for _, degraded := range []bool{false, true} {
		l, names := newLoner(nil), []string{}
		for i := range n {
			names = append(names, fmt.Sprint("p", i))
		}
		for i, name := range names {
			l.meet(LinkID(i+1), name)
		}
		for _, name := range names {
			others := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == name })
			var links []LinkEntry
			for _, o := range others {
				links = append(links, on(o))
			}
			l.grow(name, links...)
		}
		l.pass(3 * time.Second)
		i := slices.IndexFunc(l.links.list, func(k *link) bool { return !k.wanted })
		k := l.links.list[i]
		if degraded {
			var links []LinkEntry
			for _, o := range names {
				if o != k.name {
					links = append(links, off(o))
				}
			}
			l.grow(k.name, links...)
		}
		for range 15 {
			for _, o := range slices.Clone(l.links.list) {
				l.receive(o.id, &Beat{Hash: l.Hash()})
			}
			l.pass(time.Second)
		}
		if kept := l.links.byID[k.id] != nil; kept != degraded {
			t.Errorf("its peer has few links: %v; the link is kept: %v", degraded, kept)
		}
	}
}

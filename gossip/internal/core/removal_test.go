package core

import (
	"testing"
	"time"
)

// removalBy returns the entry that removes a member, written by another node at the present of l.
func (l *loner) removalBy(writer, id string) SharedEntry {
	return SharedEntry{Space: SpaceMember, Key: id, Value: removalOf(1), Stamp: stampAt(MomentAt(l.now)), Writer: HashID(writer),
		Expires: l.now.Add(time.Hour).UnixMilli()}
}

// isRemoved reports whether outputs end a node because it was removed.
func isRemoved(out []Output) bool {
	for _, o := range out {
		if _, ok := o.(Removed); ok {
			return true
		}
	}
	return false
}

func TestANodeThatRejectsARemovedPeerReadsThatItWasRemovedItself(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	l.receive(1, &SharedDelta{Entries: []SharedEntry{l.removalBy("b", "x")}})
	out := l.do(LinkUp{Link: 2, ID: "x", Generation: 1, Addr: "x:1"})
	if d := sent[*SharedDelta](out, 2); len(d) != 1 || d[0].Entries[0].Key != "x" {
		t.Fatalf("the removed peer is sent %v, want the entry that removes it", d)
	}
	if !isRemoved(l.receive(2, &SharedDelta{Entries: []SharedEntry{l.removalBy("x", "a")}})) {
		t.Error("it goes on after the peer sent that this node was removed")
	}
}

func TestTheStreamOfARejectedPeerIsClosedInTime(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	l.receive(1, &SharedDelta{Entries: []SharedEntry{l.removalBy("b", "x")}})
	closed := func(out []Output, link LinkID) bool {
		for _, o := range out {
			if c, ok := o.(Close); ok && c.Link == link {
				return true
			}
		}
		return false
	}
	l.do(LinkUp{Link: 2, ID: "x", Generation: 1, Addr: "x:1"})
	if out := l.do(LinkUp{Link: 3, ID: "x", Generation: 1, Addr: "x:1"}); !closed(out, 2) || closed(out, 3) {
		t.Error("two streams of one removed peer are read at once")
	}
	if out := l.pass(l.cfg.DialTimeout + l.cfg.Heartbeat); !closed(out, 3) {
		t.Error("the stream of a removed peer that does not hang up stays open")
	}
	if l.Known() != 2 || l.store.byNode[HashID("x")] != nil && l.store.byNode[HashID("x")].rec != nil {
		t.Error("the removed peer has a record")
	}
}

func TestARejectedPeerThatCameBackOnPurposeIsTakenAtTheNextTry(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	l.receive(1, &SharedDelta{Entries: []SharedEntry{l.removalBy("b", "x")}})
	l.do(LinkDown{Link: 1})
	l.pass(time.Second)
	l.do(LinkUp{Link: 2, ID: "x", Generation: 1, Addr: "x:1"})
	back := SharedEntry{Space: SpaceMember, Key: "x", Stamp: stampAt(MomentAt(l.now)), Writer: HashID("x"), Deleted: true}
	l.receive(2, &SharedDelta{Entries: []SharedEntry{back}})
	l.meet(3, "x")
	if _, ok := l.Member("x"); !ok {
		t.Error("it is rejected though its removal was taken back")
	}
}

func TestAnOldRemovalIsAnsweredWithTheEntryThatTookItBack(t *testing.T) {
	l := newLoner(nil)
	old := l.removalBy("b", "a")
	l.pass(time.Second)
	l.do(Restore{Shared: []SharedEntry{{Space: SpaceMember, Key: "a", Stamp: stampAt(MomentAt(l.now)), Writer: l.node, Deleted: true}}})
	l.meet(1, "b")
	out := l.receive(1, &SharedDelta{Entries: []SharedEntry{old}})
	if isRemoved(out) {
		t.Fatal("an entry that was taken back removes the node")
	}
	if d := sent[*SharedDelta](out, 1); len(d) != 1 || !d[0].Entries[0].Deleted {
		t.Errorf("the peer is sent %v, want the entry that took it back", d)
	}
}

func TestANodeThatIsRemovedAtItsFirstContactHandsOverTheRemovalsThatItHas(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "x")
	l.do(Remove{ID: "x"})
	l.pass(l.cfg.DialTimeout + l.cfg.Heartbeat)
	l.do(LinkUp{Link: 2, ID: "b", Generation: 1, Addr: "b:1"})
	out := l.receive(2, &SharedDelta{Entries: []SharedEntry{l.removalBy("b", "a")}})
	if !isRemoved(out) {
		t.Fatal("it was not removed")
	}
	d := sent[*SharedDelta](out, 2)
	if len(d) != 1 || len(d[0].Entries) != 1 || d[0].Entries[0].Key != "x" {
		t.Errorf("it sends %v before it stops, want the removal of x", d)
	}
}

func TestComingBackOnPurposeDoesNotTakeBackALaterRemoval(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	l.receive(1, &SharedDelta{Entries: []SharedEntry{l.removalBy("b", "x")}})
	l.pass(time.Second)
	began := l.now
	l.pass(time.Second)
	later := l.removalBy("c", "x") // by a node that is cut off, of the life that began a second before
	l.pass(time.Second)
	l.receive(1, &Beat{Wanted: true})
	l.do(LinkUp{Link: 2, ID: "x", Generation: uint64(began.UnixMilli()), Addr: "x:1", Clock: l.now.UnixMilli(), Rejoin: true})
	if l.replica.isBanned("x") {
		t.Fatal("it is rejected though it came back on purpose")
	}
	l.receive(1, &SharedDelta{Entries: []SharedEntry{later}})
	if !l.replica.isBanned("x") {
		t.Error("a removal of the life that came back was taken back with the one before it")
	}
}

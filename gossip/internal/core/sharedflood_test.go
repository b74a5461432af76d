package core

import (
	"fmt"
	"testing"
	"time"
)

// among returns a core with links 1 to n to others, all eager, after their first heartbeats.
func among(n int) *loner {
	l := newLoner(nil)
	for i := range n {
		id := LinkID(i + 1)
		l.do(LinkUp{Link: id, ID: fmt.Sprint("peer", i), Generation: 1, Addr: fmt.Sprintf("h%d:1", i), Clock: l.now.UnixMilli()})
		l.do(Received{Link: id, Frame: &Beat{Wanted: true}})
	}
	l.pass(time.Second)
	return l
}

// sent returns the frames of one type to a link.
func sent[F Frame](out []Output, l LinkID) (all []F) {
	for _, o := range out {
		if s, ok := o.(Send); ok && s.Link == l {
			if f, ok := s.Frame.(F); ok {
				all = append(all, f)
			}
		}
	}
	return all
}

func (l *loner) write(key string, writer NodeID) SharedEntry {
	return SharedEntry{Key: key, Value: "v", Stamp: stampAt(MomentAt(l.now)), Writer: writer}
}

func (l *loner) receive(id LinkID, f Frame) []Output { return l.do(Received{Link: id, Frame: f}) }

func TestALinkThatClosesACircleBecomesLazyAndTheWritesAreAnnouncedOverIt(t *testing.T) {
	l := among(3)
	e := l.write("k", 7)
	l.receive(1, &SharedDelta{Entries: []SharedEntry{e}})
	l.receive(2, &SharedDelta{Entries: []SharedEntry{e}})
	out := l.pass(200 * time.Millisecond)
	if f := sent[*Lazy](out, 2); len(f) != 1 || !f[0].On {
		t.Errorf("to the link of the duplicate: %v, want it lazy", f)
	}
	if f := append(sent[*Lazy](out, 1), sent[*Lazy](out, 3)...); len(f) != 0 {
		t.Errorf("to the others: %v, want nothing", f)
	}
	out = l.do(SharedSet{Key: "own", Value: "v"})
	out = append(out, l.pass(200*time.Millisecond)...)
	for link, want := range map[LinkID][2]int{1: {1, 0}, 2: {0, 1}, 3: {1, 0}} {
		got := [2]int{len(sent[*SharedDelta](out, link)), len(sent[*SharedAnnounce](out, link))}
		if got != want {
			t.Errorf("link %d gets %v writes and announcements, want %v", link, got, want)
		}
	}
}

func TestWritesOfSeveralMembersDoNotMakeAllLinksLazyAtOnce(t *testing.T) {
	l := among(3)
	for i, writer := range []NodeID{30, 20, 10} { // each comes first over another link
		e := l.write(fmt.Sprint("key", i), writer)
		for j := range 3 {
			l.receive(LinkID((i+j)%3+1), &SharedDelta{Entries: []SharedEntry{e}})
		}
	}
	out := l.pass(200 * time.Millisecond)
	for link, want := range map[LinkID]int{1: 1, 2: 1, 3: 0} { // the lowest writer leads to link 3
		if f := sent[*Lazy](out, link); len(f) != want {
			t.Errorf("link %d: %v, want %d", link, f, want)
		}
	}
}

func TestAnAnnouncedWriteThatDoesNotComeIsAskedForAndItsLinkIsEagerAgain(t *testing.T) {
	l := among(3)
	e := l.write("k", 7)
	l.receive(2, &Lazy{On: true})
	v := SharedVersion{ID: e.id(), Stamp: e.Stamp}
	if out := l.receive(2, &SharedAnnounce{Entries: []SharedVersion{v}}); len(out) != 0 {
		t.Errorf("it is asked for at once: %v", out)
	}
	out := l.pass(60 * time.Millisecond)
	asked, lazy := sent[*SharedDigest](out, 2), sent[*Lazy](out, 2)
	if len(asked) != 1 || asked[0].Mask != 0 || len(asked[0].Entries) != 1 || asked[0].Entries[0].ID != e.id() {
		t.Fatalf("asked: %v", asked)
	}
	if len(lazy) != 1 || lazy[0].On {
		t.Errorf("the link is not made eager: %v", lazy)
	}
	l.receive(2, &SharedDelta{Entries: []SharedEntry{e}})
	if !l.has("k") {
		t.Error("the answer is not taken")
	}
	if l.receive(3, &SharedAnnounce{Entries: []SharedVersion{v}}); len(l.sharedFlood.lacks) > 1 {
		t.Error("what is there is waited for")
	}
	if out := l.pass(300 * time.Millisecond); len(sent[*SharedDigest](out, 3))+len(sent[*SharedDigest](out, 2)) != 0 || len(l.sharedFlood.waiting) != 0 {
		t.Error("what has come is asked for again")
	}
}

func TestTheLastEagerLinkStaysOneAndTheOthersTakeOverWhenItEnds(t *testing.T) {
	l := among(3)
	for id := LinkID(1); id <= 2; id++ {
		if out := l.receive(id, &Lazy{On: true}); len(sent[*Lazy](out, id)) != 0 {
			t.Errorf("link %d is not made lazy", id)
		}
	}
	out := l.receive(3, &Lazy{On: true})
	if f := sent[*Lazy](out, 3); len(f) != 1 || f[0].On {
		t.Errorf("the last eager link: %v, want it to stay", f)
	}
	out = l.do(LinkDown{Link: 3})
	for id := LinkID(1); id <= 2; id++ {
		if f := sent[*Lazy](out, id); len(f) != 1 || f[0].On {
			t.Errorf("link %d after the eager one has ended: %v, want it eager", id, f)
		}
	}
}

func TestAChangeAboutAMemberGoesOverAllLinks(t *testing.T) {
	l := among(3)
	l.receive(1, &Lazy{On: true})
	l.receive(2, &Lazy{On: true})
	e := SharedEntry{Space: SpaceMember, Key: "x", Value: "r\x00\x00\x00\x00\x00\x00\x00\x01", Stamp: stampAt(MomentAt(l.now)), Writer: 7}
	out := append(l.receive(3, &SharedDelta{Entries: []SharedEntry{e}}), l.pass(50*time.Millisecond)...)
	for id := LinkID(1); id <= 2; id++ {
		if len(sent[*SharedDelta](out, id)) != 1 {
			t.Errorf("link %d does not get it", id)
		}
	}
}

func TestAStampOfTheFutureIsRefusedAndReported(t *testing.T) {
	l := among(2)
	e := l.write("k", 7)
	e.Stamp += stampAt(Moment(2 * time.Hour.Milliseconds()))
	out := l.receive(1, &SharedDelta{Entries: []SharedEntry{e}})
	reported := false
	for _, o := range out {
		r, ok := o.(Rejected)
		reported = reported || ok && r.Reason == ReasonClockAhead && r.Link == 1
	}
	if !reported || l.has("k") {
		t.Errorf("reported: %v, taken: %v", reported, l.has("k"))
	}
}

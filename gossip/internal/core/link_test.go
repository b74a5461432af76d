package core

import (
	"fmt"
	"testing"
	"time"
)

// lowerAndHigher returns names whose IDs are below and above that of a loner, "a".
func lowerAndHigher() (lower, higher string) {
	for i := 0; lower == "" || higher == ""; i++ {
		if name := fmt.Sprint("peer", i); HashID(name) < HashID("a") {
			lower = name
		} else {
			higher = name
		}
	}
	return lower, higher
}

// closes returns the links that outputs close, and those on which they send.
func closes(out []Output) (closed, sent map[LinkID]bool) {
	closed, sent = map[LinkID]bool{}, map[LinkID]bool{}
	for _, o := range out {
		switch o := o.(type) {
		case Close:
			closed[o.Link] = true
		case Send:
			sent[o.Link] = true
		}
	}
	return closed, sent
}

func TestADialThatEndsWhenThereIsALinkBringsNone(t *testing.T) {
	lower, higher := lowerAndHigher()
	for _, peer := range []string{lower, higher} {
		for _, ours := range []bool{true, false} {
			l := newLoner(nil)
			l.do(LinkUp{Link: 1, ID: peer, Generation: 5, Addr: "p:1", Dialled: ours})
			for i, age := range []time.Duration{time.Second, time.Minute} {
				l.live(age)
				late := LinkID(2 + i)
				closed, sent := closes(l.do(LinkUp{Link: late, ID: peer, Generation: 5, Addr: "p:1", Dialled: true}))
				if !closed[late] || closed[1] || sent[late] {
					t.Errorf("peer %s, link dialled %v, %v later: closed %v, sent on %v; want the new stream closed without a frame", peer, ours, age, closed, sent)
				}
			}
		}
	}
}

func TestAStreamToANewLifeOfThePeerTakesThePlaceOfTheLink(t *testing.T) {
	for _, dialled := range []bool{true, false} {
		l := newLoner(nil)
		l.do(LinkUp{Link: 1, ID: "b", Generation: 5, Addr: "b:1", Dialled: true})
		closed, _ := closes(l.do(LinkUp{Link: 2, ID: "b", Generation: 6, Addr: "b:1", Dialled: dialled}))
		if !closed[1] || closed[2] {
			t.Errorf("dialled %v: closed %v, want the link to the earlier life", dialled, closed)
		}
	}
}

func TestOfTwoStreamsThatCrossThatOfTheLowerIDStaysHoweverLateItsFirstFrame(t *testing.T) {
	lower, higher := lowerAndHigher()
	for _, late := range []time.Duration{0, time.Second, 8 * time.Second} {
		for peer, want := range map[string]LinkID{lower: 2, higher: 1} {
			l := newLoner(nil)
			l.do(LinkUp{Link: 1, ID: peer, Generation: 5, Addr: "p:1", Dialled: true})
			l.live(late)
			closed, _ := closes(l.do(LinkUp{Link: 2, ID: peer, Generation: 5, Addr: "p:1", Opened: late}))
			if closed[want] || !closed[3-want] {
				t.Errorf("peer %s, first frame %v late: closed %v, want link %d to stay", peer, late, closed, want)
			}
		}
	}
}

func TestADialOfThePeerAfterALongTimeTakesThePlaceOfTheLink(t *testing.T) {
	_, higher := lowerAndHigher()
	l := newLoner(nil)
	l.do(LinkUp{Link: 1, ID: higher, Generation: 5, Addr: "p:1", Dialled: true})
	l.live(4 * time.Second)
	if closed, _ := closes(l.do(LinkUp{Link: 2, ID: higher, Generation: 5, Addr: "p:1"})); !closed[1] || closed[2] {
		t.Errorf("closed %v, want the link, which the peer has lost", closed)
	}
}

func TestALinkIsPublishedWhenThePeerIsKnownToUseIt(t *testing.T) {
	l := newLoner(nil)
	l.do(LinkUp{Link: 1, ID: "b", Generation: 1, Addr: "b:1", Dialled: true})
	l.receive(1, &Delta{Records: []RecordDelta{recordOf("b", 0, "a")}})
	l.pass(900 * time.Millisecond)
	if l.UpCount() != 1 {
		t.Fatal("the peer is up before it has shown that it uses the stream")
	}
	l.receive(1, &Beat{Wanted: true})
	l.pass(20 * time.Millisecond)
	if l.UpCount() != 2 {
		t.Error("the peer is not up after its first heartbeat")
	}
}

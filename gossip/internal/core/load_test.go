package core

import (
	"fmt"
	"testing"
	"time"
)

func TestALongWaitCountsAtOnceAndFadesWithTime(t *testing.T) {
	var l load
	for _, s := range []struct{ waited, now, least, most time.Duration }{
		{lagFloor, time.Second, 0, 0},
		{lagFloor + 100*time.Millisecond, time.Second, 100 * time.Millisecond, 100 * time.Millisecond},
		{0, time.Second, 100 * time.Millisecond, 100 * time.Millisecond}, // no time has passed
		{0, time.Second + lagFade/2, 40 * time.Millisecond, 60 * time.Millisecond},
		{time.Hour, 2 * time.Second, lagCap, lagCap},
		{0, 10 * time.Second, 0, 0},
	} {
		if l.recordDelay(s.waited, s.now); l.lag < s.least || l.lag > s.most {
			t.Errorf("after a wait of %v at %v the lag is %v, want %v to %v", s.waited, s.now, l.lag, s.least, s.most)
		}
	}
	l.recordDelay(time.Second, 20*time.Second)
	l.fade(20*time.Second+time.Second/2, time.Second)
	if l.lag < time.Second/2 {
		t.Errorf("the lag faded to %v within a heartbeat", l.lag)
	}
	if l.fade(22*time.Second, time.Second); l.lag != 0 {
		t.Errorf("without inputs a lag of %v is left", l.lag)
	}
}

// live passes time with heartbeats on all links.
func (l *loner) live(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); l.pass(500 * time.Millisecond) {
		for id := range l.links.byID {
			l.receive(id, &Beat{Wanted: true})
		}
	}
}

// behind makes a core one that is behind by d.
func (l *loner) behind(d time.Duration) {
	l.do(Received{Link: 1, Frame: &Beat{Wanted: true}, Waited: d + lagFloor})
}

// deltas returns how many frames with records go over a link.
func deltas(out []Output, link LinkID) int { return len(sent[*Delta](out, link)) }

func TestANodeThatIsBehindMakesFewerPushes(t *testing.T) {
	frames := func(lag time.Duration) (n int) {
		l := among(3)
		l.live(5 * time.Second)
		for i := range 10 {
			l.do(Received{Link: 1, Frame: &Beat{Wanted: true, Eager: true}, Waited: lag})
			n += deltas(append(l.do(Set{Key: fmt.Sprint("k", i), Value: "v"}), l.pass(40*time.Millisecond)...), 1)
		}
		return n + deltas(l.pass(time.Second), 1)
	}
	if n := frames(0); n != 10 {
		t.Errorf("a node that keeps up sends %d frames for 10 changes 40 ms apart, want one for each", n)
	}
	if n := frames(200 * time.Millisecond); n != 1 {
		t.Errorf("a node that is 200 ms behind sends %d frames, want one", n)
	}
}

func TestANodeThatIsBehindPushesOverTheTree(t *testing.T) {
	for lag, want := range map[time.Duration][3]int{0: {1, 1, 1}, 50 * time.Millisecond: {0, 1, 0}} {
		l := among(3)
		l.live(5 * time.Second)
		for _, link := range l.links.list {
			link.eager = false
		}
		l.do(Received{Link: 2, Frame: &Beat{Wanted: true, Eager: true}})
		l.behind(lag)
		out := append(l.do(Set{Key: "k", Value: "v"}), l.pass(time.Second)...)
		if got := [3]int{deltas(out, 1), deltas(out, 2), deltas(out, 3)}; got != want {
			t.Errorf("behind by %v: %v frames over the links, want %v", lag, got, want)
		}
	}
}

func TestAPushHasWhatItsReceiverLacks(t *testing.T) {
	l := among(2)
	l.live(5 * time.Second)
	record := func(version uint64) *Delta {
		d := RecordDelta{Node: HashID("x"), ID: "x", Generation: 1, To: version}
		for v := uint64(1); v <= version; v++ {
			d.Entries = append(d.Entries, Entry{Kind: KindUser, Key: fmt.Sprint(v), Value: "v", Version: v})
		}
		return &Delta{Records: []RecordDelta{d}}
	}
	l.receive(1, record(1))
	out := l.receive(1, record(1))
	out = append(out, l.receive(2, record(3))...)
	out = append(out, l.pass(100*time.Millisecond)...)
	if f := sent[*Delta](out, 1); len(f) != 1 || f[0].Records[0].From != 1 || f[0].Records[0].To != 3 {
		t.Errorf("to the peer that has version 1: %+v, want what is above it", f)
	}
	if f := sent[*Delta](out, 2); len(f) != 0 {
		t.Errorf("to the peer that has all: %+v, want nothing", f)
	}
}

func TestALinkMayStaySilentForLongerWhileItsPeerIsBehind(t *testing.T) {
	for lag, want := range map[uint32]time.Duration{0: 5 * time.Second, 1000: 14 * time.Second} {
		l := among(2)
		l.do(Received{Link: 2, Frame: &Beat{Wanted: true, Lag: lag}})
		began := l.now
		for l.Links() == 2 {
			l.do(Received{Link: 1, Frame: &Beat{Wanted: true}})
			l.pass(250 * time.Millisecond)
		}
		if got := l.now.Sub(began); got > want || got < want-time.Second {
			t.Errorf("the link of a peer that is %d ms behind was closed after %v, want about %v", lag, got, want)
		}
	}
}

func TestANodeTakesBulkOverOneLinkAtLeast(t *testing.T) {
	l := among(3)
	for _, link := range l.links.list {
		link.eager = false
	}
	l.pass(time.Second)
	if n := l.links.countEager(); n != 1 {
		t.Errorf("bulk is taken over %d links, want 1", n)
	}
	for range 4 {
		l.behind(100 * time.Millisecond)
		l.pass(250 * time.Millisecond)
	}
	if n := l.links.countEager(); n != 2 {
		t.Errorf("a node that is behind takes bulk over %d links, want 2", n)
	}
}

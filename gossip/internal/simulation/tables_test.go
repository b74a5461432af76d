package simulation

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// replaceNode ends a node and starts another one in its place.
func replaceNode(n *Node, id string, seeds ...string) {
	n.Crash()
	n.Replace(id)
	n.Start(seeds...)
}

func TestMembersOfEarlierRolloutsAreForgotten(t *testing.T) {
	w := New(tenDays(4, 1))
	w.StartAll()
	most := 0
	for day := range 14 {
		for i, n := range w.Nodes {
			replaceNode(n, fmt.Sprintf("pod%d-%d", day, i), w.Nodes[(i+1)%4].Addr, w.Nodes[(i+2)%4].Addr)
			w.Run(15*time.Second, nil)
		}
		for _, n := range w.Nodes {
			most = max(most, recordCount(n))
		}
	}
	// Those of three days, those of the day after which they are forgotten, and those that run.
	if bound := 4 * (3 + 1 + 1); most > bound {
		t.Errorf("a node knows %d members of 14 days, want at most %d", most, bound)
	}
}

func TestAFullTableLeavesNoneOutForEver(t *testing.T) {
	s := tenDays(24, 2)
	s.Core.Limits.Members = 20
	w := New(s)
	for _, n := range w.Nodes[:12] {
		n.Start(w.Nodes[0].Addr)
	}
	w.Run(20*time.Second, nil)
	for _, n := range w.Nodes[:12] {
		n.Crash()
		m := w.Nodes[12+n.Index]
		m.Start(w.Nodes[12].Addr, w.Nodes[(n.Index+1)%12].Addr)
		w.Run(2*time.Second, nil)
	}
	if !w.Run(HealBound(w.Core), w.Together) {
		t.Errorf("12 that run, 12 that are gone, room for 20: n12 has %d up after %v; %v", w.Nodes[12].Core.UpCount(), HealBound(w.Core), w.Count.Rejected)
	}
	before := countRejections(w)
	w.Run(10*time.Second, nil)
	if now := countRejections(w); now > before {
		t.Errorf("%d rejections in 10 s, long after the last change", now-before)
	}
}

func TestMoreNodesThanThereIsRoomForAgreeOnThoseThatAreIn(t *testing.T) {
	t.Parallel()
	s := tenDays(24, 3)
	s.Core.Limits.Members = 20
	w := New(s)
	w.StartAll()
	w.Run(s.Core.ForgetAfter, nil)
	states, alone := map[uint64]int{}, 0
	for _, n := range w.Nodes {
		states[n.Core.Hash()]++
		if n.Core.UpCount() == 1 {
			alone++
		}
	}
	in := 0
	for _, c := range states {
		in = max(in, c)
	}
	if in < 20 {
		t.Errorf("24 nodes, room for 20: %d different states, at most %d nodes agree, %d see themselves alone", len(states), in, alone)
	}
	before := countRejections(w)
	w.Run(10*time.Second, nil)
	if got := countRejections(w) - before; got > 100 { // four that are out, each dialling 20 at the longest backoff
		t.Errorf("%d rejections in 10 s", got)
	}
}

func countRejections(w *World) (n int) {
	for _, c := range w.Count.Rejected {
		n += c
	}
	return n
}

func TestANodeMeetsManyTimesMoreNamesInItsLifeThanItHasRoomFor(t *testing.T) {
	s := tenDays(3, 4)
	s.Core.Limits.Members = 8
	s.Core.ForgetAfter, s.Core.Horizon = 10*time.Second, time.Minute
	w := New(s)
	w.StartAll()
	w.Run(10*time.Second, nil)
	x := w.Nodes[2]
	for i := range 5 * s.Core.Limits.Members {
		replaceNode(x, fmt.Sprint("name", i), w.Nodes[0].Addr)
		if !w.Run(30*time.Second, w.Together) {
			t.Fatalf("the name %d of a life does not get in; rejected: %v", i+1, w.Count.Rejected)
		}
		w.Run(10*time.Second, nil)
	}
}

// allocatedBytes is how many bytes a function allocates: how much work it makes, whatever the machine is doing besides.
func allocatedBytes(do func()) uint64 {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	do()
	runtime.ReadMemStats(&b)
	return b.TotalAlloc - a.TotalAlloc
}

// measureExpiry returns what it takes to expire keys one after the other, in bytes allocated for each, and how many words for the disk
// there are.
func measureExpiry(t *testing.T, keys int) (perKey uint64, words int) {
	w := New(DefaultSettings(1, 5))
	n := w.Nodes[0]
	n.Start()
	for i := range keys {
		n.Do(core.SharedSet{Key: fmt.Sprint("k", i), Value: "v", TTL: time.Minute + time.Duration(i)*10*time.Millisecond})
	}
	w.OnOutput = func(_ *Node, o core.Output) {
		switch o.(type) {
		case core.RememberShared, core.ForgetShared:
			words++
		}
	}
	w.Run(time.Minute, nil)
	bytes := allocatedBytes(func() { w.Run(500*10*time.Millisecond, nil) })
	if words < 400 || words > 600 {
		t.Errorf("%d words for the disk while 500 keys end", words)
	}
	return bytes / 500, words
}

func TestAKeyThatEndsCostsTheSameHoweverManyThereAre(t *testing.T) {
	few, _ := measureExpiry(t, 1000)
	many, _ := measureExpiry(t, 20_000)
	t.Logf("a key that ends costs %d bytes of 1,000, %d bytes of 20,000", few, many)
	if many > 2*few+1000 {
		t.Errorf("a key that ends costs %d bytes of 1,000, %d bytes of 20,000, want about the same", few, many)
	}
}

func TestWritesAreTakenAfterManyKeysWereSetAndDeleted(t *testing.T) {
	t.Parallel()
	s, keys := DefaultSettings(2, 6), 15_000
	s.Core.Limits.Shared = 1 << 20
	if *large {
		s.Core.Limits.Shared, keys = 8<<20, 100_000
	}
	w := New(s)
	w.StartAll()
	w.Run(10*time.Second, nil)
	for i := range keys {
		key := fmt.Sprintf("session/%032d", i)
		if err := canShare(w.Nodes[0], key, "v"); err != nil {
			t.Fatalf("after %d keys that are all deleted: %v", i, err)
		}
		w.Nodes[0].Do(core.SharedSet{Key: key, Value: "v"})
		w.Nodes[0].Do(core.SharedDelete{Key: key})
		if i%500 == 499 {
			w.Run(time.Second, nil)
		}
	}
}

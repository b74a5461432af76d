package simulation

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// awaitSameShared waits until all running nodes have the same shared map.
func awaitSameShared(t *testing.T, w *World, within time.Duration) {
	t.Helper()
	same := func() bool {
		var first *Node
		for _, n := range w.Nodes {
			if !n.Running() {
				continue
			}
			if first == nil {
				first = n
			}
			if n.Core.SharedHash() != first.Core.SharedHash() {
				return false
			}
		}
		return true
	}
	if !w.Run(within, same) {
		t.Fatalf("the shared maps differ after %v", within)
	}
}

func wantShared(t *testing.T, n *Node, key, want string) {
	t.Helper()
	if got, _, ok := n.Core.Shared(key); got != want || ok != (want != "") {
		t.Errorf("%s has %s = %q, %v, want %q", n.ID, key, got, ok, want)
	}
}

func TestHalvesOfAPartitionMergeKeyByKey(t *testing.T) {
	w, _ := settledCluster(t, 8, 1)
	left, right := w.Nodes[0], w.Nodes[7]
	left.Do(core.SharedSet{Key: "both", Value: "before"})
	left.Do(core.SharedSet{Key: "gone", Value: "before"})
	awaitSameShared(t, w, time.Second)
	w.Partition(1, 0, 1, 2, 3)
	w.Run(30*time.Second, nil)
	left.Do(core.SharedSet{Key: "both", Value: "left"})
	left.Do(core.SharedSet{Key: "left", Value: "1"})
	left.Do(core.SharedDelete{Key: "gone"})
	w.Run(time.Second, nil)
	right.Do(core.SharedSet{Key: "both", Value: "right"})
	right.Do(core.SharedSet{Key: "right", Value: "2"})
	w.Run(10*time.Second, nil)
	w.Heal()
	w.Run(5*time.Second, nil)
	awaitSameShared(t, w, 5*time.Second)
	for _, n := range w.Nodes {
		wantShared(t, n, "both", "right") // written later
		wantShared(t, n, "left", "1")
		wantShared(t, n, "right", "2")
		wantShared(t, n, "gone", "")
	}
}

func TestADeleteRightAfterAWriteIsNeverLost(t *testing.T) {
	w, _ := settledCluster(t, 3, 2)
	n := w.Nodes[1]
	for i := range 200_000 {
		n.Do(core.SharedSet{Key: "k", Value: "v"}) // all at one moment of the clock
		n.Do(core.SharedDelete{Key: "k"})
		if i%50_000 == 0 {
			w.Run(50*time.Millisecond, nil)
		}
	}
	awaitSameShared(t, w, 5*time.Second)
	for _, n := range w.Nodes {
		wantShared(t, n, "k", "")
	}
}

func TestATTLEndsEverywhere(t *testing.T) {
	w, _ := settledCluster(t, 4, 3)
	w.Nodes[0].Do(core.SharedSet{Key: "k", Value: "v", TTL: 10 * time.Second})
	w.Run(9*time.Second, nil)
	wantShared(t, w.Nodes[3], "k", "v")
	w.Run(2*time.Second, nil)
	for _, n := range w.Nodes {
		wantShared(t, n, "k", "")
	}
	awaitSameShared(t, w, time.Second)
}

func TestAWriteThatFollowsAnotherWinsWhateverTheClocks(t *testing.T) {
	w, _ := settledCluster(t, 4, 4)
	slow := w.Nodes[2]
	slow.StepClock(-time.Hour)
	w.Nodes[0].Do(core.SharedSet{Key: "k", Value: "first"})
	awaitSameShared(t, w, time.Second)
	slow.Do(core.SharedSet{Key: "k", Value: "second"}) // by a clock that is an hour behind
	awaitSameShared(t, w, time.Second)
	for _, n := range w.Nodes {
		wantShared(t, n, "k", "second")
	}
}

// writeInTheFuture has two nodes with clocks an hour ahead write while they are cut off together: among others they would know better.
func writeInTheFuture(t *testing.T, w *World, fast, other *Node) {
	t.Helper()
	w.Partition(1, fast.Index, other.Index)
	fast.StepClock(time.Hour)
	other.StepClock(time.Hour)
	w.Run(20*time.Second, nil)
	fast.Do(core.SharedSet{Key: "k", Value: "from the future"})
	w.Run(time.Second, nil)
	wantShared(t, other, "k", "from the future")
	w.Heal()
	w.Run(20*time.Second, nil)
}

func TestAClockFarAheadIsRefusedAndDoesNoHarm(t *testing.T) {
	w, v := settledCluster(t, 5, 5)
	fast, other := w.Nodes[2], w.Nodes[3]
	refused := 0
	w.OnOutput = func(n *Node, o core.Output) {
		if r, ok := o.(core.Rejected); ok && r.Reason == core.ReasonClockAhead {
			refused++
		}
	}
	writeInTheFuture(t, w, fast, other)
	v.Deaths = nil
	for _, key := range []string{"k", "another"} {
		if err := fast.Core.CheckSharedSet(key, "again"); !errors.Is(err, core.ErrClockAhead) {
			t.Errorf("it may write %s: %v", key, err)
		}
	}
	w.Nodes[0].Do(core.SharedSet{Key: "k", Value: "of today"})
	w.Run(time.Minute, nil)
	for _, n := range w.Nodes {
		if n != fast && n != other {
			wantShared(t, n, "k", "of today")
		}
	}
	if refused > 200 {
		t.Errorf("%d refusals, want no storm of them", refused)
	}
	if len(v.Deaths) > 0 || w.Nodes[0].Core.UpCount() != 5 {
		t.Errorf("%d deaths, %d up", len(v.Deaths), w.Nodes[0].Core.UpCount())
	}
}

func TestARemovedNodeStopsAndStaysOut(t *testing.T) {
	w, _ := settledCluster(t, 6, 6)
	x := w.Nodes[4]
	w.Nodes[1].Do(core.Remove{ID: x.ID})
	w.Run(time.Second, nil)
	if x.Gone != "removed" {
		t.Fatalf("the removed node did not learn of it: %q", x.Gone)
	}
	gone := func() {
		t.Helper()
		for _, n := range w.Nodes {
			if n.Running() && n != x && has(n, x.ID) {
				t.Errorf("%s still has the removed node", n.ID)
			}
		}
	}
	gone()
	x.Restart(false, w.Nodes[3].Addr)
	w.Run(2*time.Second, nil)
	if x.Gone != "removed" {
		t.Errorf("the removed node is back: %q", x.Gone)
	}
	gone()
	x.Rejoin = true
	x.Restart(false, w.Nodes[3].Addr)
	w.Run(2*time.Second, nil)
	if !w.Agreed() {
		t.Error("the node that came back on purpose is not in")
	}
}

func TestANodeRemovedWhileDownLearnsOfItAtItsFirstContact(t *testing.T) {
	w, _ := settledCluster(t, 6, 7)
	x := w.Nodes[4]
	x.Crash()
	w.Run(time.Second, nil)
	w.Nodes[1].Do(core.Remove{ID: x.ID})
	w.Run(time.Second, nil)
	w.Nodes[1].Crash() // who removed it is gone as well
	x.Restart(true)    // it knows only those on its disk
	w.Run(2*time.Second, nil)
	if x.Gone != "removed" {
		t.Errorf("the removed node did not learn of it: %q", x.Gone)
	}
}

func TestARemovalReachesBothSidesOfAPartition(t *testing.T) {
	w, _ := settledCluster(t, 8, 8)
	x := w.Nodes[5]
	w.Partition(1, 0, 1, 2, 3)
	w.Run(20*time.Second, nil)
	w.Nodes[0].Do(core.Remove{ID: x.ID}) // it lives on the other side
	w.Run(10*time.Second, nil)
	if x.Gone != "" {
		t.Fatal("it learned of it across a partition")
	}
	w.Heal()
	w.Run(20*time.Second, nil)
	if x.Gone != "removed" || !w.Agreed() {
		t.Errorf("removed: %q, agreed: %v", x.Gone, w.Agreed())
	}
}

func TestTwoNodesThatRemoveEachOtherBothStop(t *testing.T) {
	for _, size := range []int{2, 4} { // with four, one more on each side of the cut
		for seed := range uint64(20) {
			w, _ := settledCluster(t, size, seed)
			a, b := w.Nodes[0], w.Nodes[size-1]
			w.Partition(1, 0, size/2-1)
			w.Run(20*time.Second, nil)
			a.Do(core.Remove{ID: b.ID})
			b.Do(core.Remove{ID: a.ID})
			w.Run(time.Minute, nil)
			w.Heal()
			a.Do(core.Join{Addrs: []string{b.Addr}}) // a node keeps no address of those that it removed
			w.Run(HealBound(w.Core), nil)
			if a.Gone != "removed" || b.Gone != "removed" || len(w.runningNodes()) != size-2 || !w.Agreed() {
				t.Errorf("%d nodes, seed %d: the two are %q and %q, want them removed; %d run", size, seed, a.Gone, b.Gone, len(w.runningNodes()))
			}
		}
	}
}

func TestWhoIsOutOfReachForLongIsForgottenAndMayComeBack(t *testing.T) {
	s := DefaultSettings(6, 9)
	s.Core.ForgetAfter = time.Minute
	w := New(s)
	w.StartAll()
	w.Run(10*time.Second, nil)
	x, y := w.Nodes[4], w.Nodes[5]
	x.Vanish()
	w.Partition(1, 5) // y lives, alone
	w.Run(50*time.Second, nil)
	if !has(w.Nodes[0], x.ID) {
		t.Fatal("forgotten too soon")
	}
	w.Run(80*time.Second, nil)
	for _, n := range w.Nodes[:4] {
		if recordCount(n) != 4 {
			t.Errorf("%s knows %d members, want 4", n.ID, recordCount(n))
		}
	}
	w.Heal()
	x.Restart(true)
	w.Run(30*time.Second, nil)
	if !w.Agreed() || !y.Running() {
		t.Error("those who were forgotten are not back")
	}
}

func TestFlapsLeaveTheStateAsLargeAsBefore(t *testing.T) {
	w, _ := settledCluster(t, 6, 10)
	size := func() (n int) {
		for _, e := range w.Nodes[0].disk.shared {
			n += len(e.Key) + len(e.Value)
		}
		return n + 1000*len(w.Nodes[0].disk.members)
	}
	w.Nodes[0].Do(core.SharedSet{Key: "k", Value: "0"})
	w.Run(time.Second, nil)
	before := size()
	x := w.Nodes[3]
	for i := range 1000 {
		if i%10 == 0 {
			x.Crash()
			w.Run(200*time.Millisecond, nil)
			x.Restart(true)
		}
		w.Nodes[1].Do(core.SharedSet{Key: "k", Value: fmt.Sprint(i % 10)})
		w.Run(200*time.Millisecond, nil)
	}
	if after := size(); after != before {
		t.Errorf("%d bytes are remembered, %d before", after, before)
	}
}

func TestStalenessShowsWhatIsRefused(t *testing.T) {
	w, _ := settledCluster(t, 5, 12)
	w.Run(10*time.Second, nil)
	for _, n := range w.Nodes {
		if d := n.Core.Staleness(); d > 2*time.Second {
			t.Errorf("%s at rest: %v", n.ID, d)
		}
	}
	writeInTheFuture(t, w, w.Nodes[2], w.Nodes[3]) // no other node takes it
	w.Run(time.Minute, nil)
	if d := w.Nodes[0].Core.Staleness(); d < 50*time.Second {
		t.Errorf("a minute of difference: %v", d)
	}
}

func TestTwoPopulatedClustersOfOneIDMergeKeyByKey(t *testing.T) {
	w := New(DefaultSettings(8, 13))
	w.Partition(1, 0, 1, 2, 3)
	for _, n := range w.Nodes {
		n.Start(w.Nodes[n.Index/4*4].Addr) // each half knows its own seed alone
	}
	w.Run(10*time.Second, nil)
	for i := range 20 {
		w.Nodes[0].Do(core.SharedSet{Key: fmt.Sprint("left", i), Value: "l"})
		w.Run(10*time.Millisecond, nil)
	}
	w.Nodes[0].Do(core.SharedSet{Key: "both", Value: "left"})
	w.Run(time.Second, nil)
	w.Nodes[7].Do(core.SharedSet{Key: "both", Value: "right"})
	w.Nodes[7].Do(core.SharedSet{Key: "right", Value: "r"})
	w.Run(time.Second, nil)
	w.Heal()
	w.Run(time.Minute, nil)
	if w.Nodes[0].Core.UpCount() != 4 {
		t.Fatal("they met without an address of each other")
	}
	w.Nodes[2].Do(core.Join{Addrs: []string{w.Nodes[5].Addr}})
	w.Run(10*time.Second, nil)
	if !w.Agreed() {
		t.Fatal("not one cluster after a join")
	}
	for _, n := range w.Nodes {
		wantShared(t, n, "both", "right")
		wantShared(t, n, "right", "r")
		for i := range 20 {
			wantShared(t, n, fmt.Sprint("left", i), "l")
		}
	}
}

func TestAMemberAddedOnOneSideReachesTheOtherAfterTheHeal(t *testing.T) {
	w := New(DefaultSettings(5, 14))
	for _, n := range w.Nodes[:4] {
		n.Start(w.Nodes[0].Addr)
	}
	w.Run(5*time.Second, nil)
	w.Partition(1, 0, 1, 4)
	w.Run(15*time.Second, nil)
	w.Nodes[4].Start(w.Nodes[1].Addr)
	w.Run(10*time.Second, nil)
	if w.Nodes[0].Core.UpCount() != 3 || w.Nodes[2].Core.UpCount() != 2 {
		t.Fatalf("%d and %d up in the halves, want 3 and 2", w.Nodes[0].Core.UpCount(), w.Nodes[2].Core.UpCount())
	}
	w.Heal()
	if !w.Run(12*time.Second, w.Agreed) {
		t.Error("not whole 12 s after the heal")
	}
}

func TestNodesThatActAtTheSameMomentReportNoDeath(t *testing.T) {
	s := DefaultSettings(2, 15)
	s.LatencyMin, s.LatencyMax = time.Millisecond, time.Millisecond
	w := New(s)
	v := NewWatch(w)
	for _, n := range w.Nodes {
		n.Start(w.Nodes[1-n.Index].Addr) // each calls the other at once, and ticks with it for ever
	}
	w.Run(10*time.Minute, nil)
	if len(v.Deaths) > 0 || !w.Agreed() {
		t.Errorf("%d deaths, agreed: %v", len(v.Deaths), w.Agreed())
	}
}

func TestTheDeathOfSeedsDoesNoHarm(t *testing.T) {
	w := New(DefaultSettings(6, 16))
	seeds := []string{w.Nodes[0].Addr, w.Nodes[1].Addr, w.Nodes[2].Addr}
	for _, n := range w.Nodes[:5] {
		n.Start(seeds...)
	}
	w.Run(5*time.Second, nil)
	w.Nodes[0].Vanish()
	w.Nodes[1].Crash()
	w.Run(20*time.Second, nil)
	w.Nodes[5].Start(seeds...) // one of the three is enough
	w.Run(10*time.Second, nil)
	for _, n := range w.Nodes[2:] {
		if n.Core.UpCount() != 4 {
			t.Errorf("%s has %d up, want 4", n.ID, n.Core.UpCount())
		}
	}
}

// A neighbour is asked what it has with each heartbeat with another hash, so a heartbeat is an exchange of each with all its
// neighbours.
func TestAfterFaultsAllHashesAreEqualWithinALogarithmOfExchanges(t *testing.T) {
	for _, n := range []int{8, 16, 32} {
		worst := time.Duration(0)
		bound := time.Duration(10*bits.Len(uint(n-1))) * core.DefaultConfig().Heartbeat
		for seed := range uint64(10) {
			w, _ := settledCluster(t, n, 100+seed)
			rng := rand.New(rand.NewPCG(seed, 3))
			w.Loss = 0.3
			for range 40 {
				if rng.IntN(8) == 0 {
					w.Cut(rng.IntN(n), (rng.IntN(n-1)+1)%n)
				}
				x := w.Nodes[rng.IntN(n)]
				x.Do(core.SharedSet{Key: fmt.Sprint(rng.IntN(10)), Value: fmt.Sprint(w.Now)})
				x.Do(core.SharedDelete{Key: fmt.Sprint(rng.IntN(10))})
				x.Do(core.Set{Key: "k", Value: fmt.Sprint(w.Now)})
				w.Run(time.Duration(rng.Int64N(int64(500*time.Millisecond))), nil)
			}
			w.Heal()
			w.Loss = 0
			at := w.Now
			if !w.Run(bound, w.Agreed) {
				t.Errorf("seed %d: %d nodes differ %v after the last fault", seed, n, bound)
			}
			worst = max(worst, w.Now-at)
		}
		t.Logf("%d nodes: equal %v after the last fault at worst, of 10 runs; the bound is %v", n, worst, bound)
	}
}

func TestARemovedNodeThatKeepsItsDiskHearsOfItFromThere(t *testing.T) {
	for _, rejoin := range []bool{false, true} {
		w, _ := settledCluster(t, 4, 12)
		n := w.Nodes[1]
		w.Nodes[0].Do(core.Remove{ID: n.ID})
		if !w.Run(5*time.Second, func() bool { return n.Gone == "removed" && !n.Running() }) {
			t.Fatal("it was not removed")
		}
		e, ok := w.Nodes[0].disk.shared[sharedKey{core.SpaceMember, n.ID}]
		if !ok {
			t.Fatal("the others did not keep the removal")
		}
		n.disk.shared[sharedKey{core.SpaceMember, n.ID}] = e // it died before it could put its state aside
		n.Rejoin = rejoin
		n.Restart(true, w.Nodes[0].Addr)
		w.Run(5*time.Second, nil)
		if n.Running() != rejoin {
			t.Errorf("with rejoin %v it runs: %v", rejoin, n.Running())
		}
		if rejoin {
			awaitSameShared(t, w, 5*time.Second)
		}
	}
}

func TestWhatARemovedNodeWroteAMomentBeforeIsNotLost(t *testing.T) {
	for seed := range uint64(20) {
		w, _ := settledCluster(t, 2, seed)
		w.Nodes[0].Do(core.SharedSet{Key: "last", Value: "words"}) // it waits for company
		w.Nodes[1].Do(core.Remove{ID: w.Nodes[0].ID})
		if !w.Run(5*time.Second, func() bool { return w.Nodes[0].Gone == "removed" && !w.Nodes[0].Running() }) {
			t.Fatal("it was not removed")
		}
		w.Run(5*time.Second, nil)
		wantShared(t, w.Nodes[1], "last", "words")
	}
}

// oldestUp returns the member of the lowest generation that is up in the eyes of a node: what a leader would be.
func oldestUp(n *Node) string {
	first := core.Member{}
	for _, m := range members(n) {
		up := m.Status == core.Up || m.Status == core.Degraded
		if up && (first.Name == "" || m.Generation < first.Generation) {
			first = m
		}
	}
	return first.Name
}

func TestAfterTheNewestAndTheOldestDieNeverTwoTakeThemselvesForTheOldest(t *testing.T) {
	w := New(DefaultSettings(4, 16))
	w.OnStep = func(*Node) {
		leaders := 0
		for _, n := range w.Nodes {
			if n.Running() && recordCount(n) == 4 && oldestUp(n) == n.ID {
				leaders++
			}
		}
		if leaders > 1 {
			t.Errorf("at %v there are %d", w.Now, leaders)
		}
	}
	for _, n := range w.Nodes {
		n.Start(w.Nodes[0].Addr)
		w.Run(time.Second, nil)
	}
	w.Nodes[3].Crash()
	w.Run(100*time.Millisecond, nil)
	w.Nodes[0].Crash()
	w.Run(5*time.Second, nil)
	for _, n := range w.Nodes[1:3] {
		if got := oldestUp(n); got != "n1" {
			t.Errorf("%s takes %q for the oldest, want n1", n.ID, got)
		}
	}
}

func TestANodeThatWasPausedLearnsOfItBeforeItActsAndOfWhatWasGivenToOthers(t *testing.T) {
	w, _ := settledCluster(t, 5, 17)
	x := w.Nodes[2]
	w.Nodes[0].Do(core.SharedSet{Key: "owner/5", Value: x.ID})
	awaitSameShared(t, w, time.Second)
	var first core.Output
	w.OnOutput = func(n *Node, o core.Output) {
		if n == x && first == nil {
			first = o
		}
	}
	x.Stall(8 * time.Second)
	w.Run(7*time.Second, nil)
	if first != nil {
		t.Fatalf("it acts while it is paused: %v", first)
	}
	if w.Nodes[0].Core.IsUp(x.hash) {
		t.Error("it is up to others after 7 s of silence")
	}
	w.Nodes[0].Do(core.SharedSet{Key: "owner/5", Value: "n0"})
	w.Run(6*time.Second, nil)
	if p, ok := first.(core.Paused); !ok || p.For < 7*time.Second {
		t.Errorf("the first thing it does is %T %+v, want to know that it was paused", first, first)
	}
	wantShared(t, x, "owner/5", "n0")
	if !w.Agreed() {
		t.Error("they do not agree")
	}
}

package simulation

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// shortRetentionCluster is a cluster that remembers deletes for ten minutes, settled, with a key that all have.
func shortRetentionCluster(t *testing.T, nodes int, seed uint64) *World {
	t.Helper()
	s := DefaultSettings(nodes, seed)
	s.Core.Horizon, s.Core.ForgetAfter = 10*time.Minute, 0
	w := New(s)
	w.StartAll()
	w.Run(90*time.Second, nil)
	w.Nodes[0].Do(core.SharedSet{Key: "kept", Value: "v"})
	w.Nodes[0].Do(core.SharedSet{Key: "gone", Value: "v"})
	awaitSameShared(t, w, 5*time.Second)
	w.Run(5*time.Second, nil)
	return w
}

// wantOneKey wants the key that was kept at all nodes, and the one that was deleted at none.
func wantOneKey(t *testing.T, w *World) {
	t.Helper()
	awaitSameShared(t, w, 30*time.Second)
	for _, n := range w.Nodes {
		wantShared(t, n, "kept", "v")
		wantShared(t, n, "gone", "")
	}
}

func TestANodeThatRanCutOffBeyondTheHorizonDropsWhatWasDeleted(t *testing.T) {
	for seed := range uint64(10) {
		w := shortRetentionCluster(t, 5, seed)
		w.Partition(1, 4)
		w.Run(30*time.Second, nil)
		w.Nodes[0].Do(core.SharedDelete{Key: "gone"})
		w.Run(15*time.Minute, nil)
		w.Nodes[4].Do(core.SharedSet{Key: "alone", Value: "v"})
		w.Heal()
		w.Run(30*time.Second, nil)
		wantOneKey(t, w)
		for _, n := range w.Nodes {
			wantShared(t, n, "alone", "v") // younger than the horizon
		}
	}
}

// The others lose their disks and meet without the one that is cut off: a new cluster, which settles and has none of the old keys.
func TestAMemberThatMeetsANewClusterAfterTheHorizonKeepsWhatOnlyItHas(t *testing.T) {
	for seed := range uint64(10) {
		w := shortRetentionCluster(t, 5, seed)
		w.Partition(1, 4)
		w.Run(time.Minute, nil)
		for _, n := range w.Nodes[:4] {
			n.Crash()
		}
		w.Run(time.Minute, nil)
		for _, n := range w.Nodes[:4] {
			n.Restart(false, w.Nodes[0].Addr)
		}
		w.Run(15*time.Minute, nil)
		w.Heal()
		w.Run(30*time.Second, nil)
		awaitSameShared(t, w, 30*time.Second)
		for _, n := range w.Nodes {
			wantShared(t, n, "kept", "v")
			wantShared(t, n, "gone", "v") // it was not deleted here
			if n.Core.Aged() {
				t.Errorf("seed %d: %s is still aged", seed, n.ID)
			}
		}
	}
}

func TestStoppedNodesWithOldDisksBringNoDeletedKeyBack(t *testing.T) {
	for seed := range uint64(10) {
		w := shortRetentionCluster(t, 5, seed)
		w.Nodes[3].Crash()
		w.Nodes[4].Crash()
		w.Run(30*time.Second, nil)
		w.Nodes[0].Do(core.SharedDelete{Key: "gone"})
		w.Run(15*time.Minute, nil)
		w.Partition(1, 3, 4) // they meet each other first
		w.Nodes[3].Restart(true)
		w.Nodes[4].Restart(true)
		w.Run(time.Duration(seed)*2*time.Second, nil)
		w.Heal()
		w.Run(30*time.Second, nil)
		wantOneKey(t, w)
	}
}

func TestANewNodeCarriesNoDeletedKeyFromAnOldDiskToTheCluster(t *testing.T) {
	for seed := range uint64(10) {
		w := shortRetentionCluster(t, 5, seed)
		w.Nodes[3].Crash()
		w.Nodes[4].Crash()
		w.Run(30*time.Second, nil)
		w.Nodes[0].Do(core.SharedDelete{Key: "gone"})
		w.Run(15*time.Minute, nil)
		w.Partition(1, 3, 4)
		w.Nodes[3].Restart(true)
		w.Nodes[4].Restart(false, w.Nodes[3].Addr) // its disk is lost
		w.Run(10*time.Second, nil)
		wantShared(t, w.Nodes[4], "gone", "v")
		w.Cut(3, 0)
		w.Cut(3, 1)
		w.Cut(3, 2)
		w.side[4], w.side[3] = 0, 0
		w.Run(30*time.Second, nil)
		w.Heal()
		w.Run(30*time.Second, nil)
		wantOneKey(t, w)
	}
}

func TestAClusterThatStoodStillForTwoHorizonsKeepsEverything(t *testing.T) {
	for seed := range uint64(10) {
		w := shortRetentionCluster(t, 5, seed)
		w.Nodes[0].Do(core.SharedDelete{Key: "gone"})
		awaitSameShared(t, w, 5*time.Second)
		for _, n := range w.Nodes {
			n.Crash()
		}
		w.Run(20*time.Minute, nil)
		for i, n := range w.Nodes {
			n.Restart(i != 1, w.Nodes[1].Addr) // the one that lost its disk is the seed of all
			w.Run(time.Duration(seed)*time.Second, nil)
		}
		w.Run(3*time.Minute, nil)
		wantOneKey(t, w)
		for _, n := range w.Nodes {
			if n.Core.Aged() {
				t.Errorf("seed %d: %s is still aged", seed, n.ID)
			}
		}
	}
}

func TestAClusterThatIsQuietForTwoHorizonsKeepsEverythingOverARestart(t *testing.T) {
	w := shortRetentionCluster(t, 5, 1)
	w.Nodes[0].Do(core.SharedDelete{Key: "gone"})
	w.Run(20*time.Minute, nil)
	for _, n := range w.Nodes {
		n.Crash()
	}
	w.Run(time.Minute, nil)
	for _, n := range w.Nodes {
		n.Restart(true)
		if n.Core.Aged() {
			t.Errorf("%s takes itself for one that was away", n.ID)
		}
	}
	w.Run(10*time.Second, nil)
	wantOneKey(t, w)
}

func TestANodeThatWasNeverInTouchKeepsItsOldKeysWhenItMeetsACluster(t *testing.T) {
	s := DefaultSettings(4, 3)
	s.Core.Horizon, s.Core.ForgetAfter = 10*time.Minute, 0
	w := New(s)
	w.Nodes[3].Start()
	w.Nodes[3].Do(core.SharedSet{Key: "old", Value: "v"})
	w.Run(20*time.Minute, nil)
	for _, n := range w.Nodes[:3] {
		n.Start(w.Nodes[0].Addr)
	}
	w.Run(2*time.Minute, nil)
	w.Nodes[3].Do(core.Join{Addrs: []string{w.Nodes[0].Addr}})
	w.Run(30*time.Second, nil)
	awaitSameShared(t, w, 10*time.Second)
	for _, n := range w.Nodes {
		wantShared(t, n, "old", "v")
	}
}

func TestWhatWasWrittenAloneByAClockAheadReachesAllWithItsOrder(t *testing.T) {
	for _, right := range []bool{true, false} { // whether the clock is set right before it meets the others
		w, _ := settledCluster(t, 4, 5)
		fast := w.Nodes[2]
		w.Partition(1, fast.Index)
		fast.StepClock(2 * time.Hour)
		w.Run(20*time.Second, nil)
		for i := range 5 {
			fast.Do(core.SharedSet{Key: "k", Value: fmt.Sprint("first", i)})
		}
		fast.Do(core.SharedSet{Key: "short", Value: "v", TTL: time.Hour})
		if right {
			fast.StepClock(-2 * time.Hour)
		}
		w.Heal()
		w.Run(20*time.Second, nil)
		for _, n := range w.Nodes {
			wantShared(t, n, "k", "first4")
		}
		if right {
			fast.Do(core.SharedSet{Key: "k", Value: "then"})
			fast.Do(core.SharedSet{Key: "other", Value: "then"})
			w.Run(time.Second, nil)
			wantShared(t, w.Nodes[0], "k", "then")
			wantShared(t, w.Nodes[0], "other", "then")
		}
		w.Run(61*time.Minute, nil)
		wantShared(t, w.Nodes[0], "short", "")
	}
}

func TestAWriteOfTheFutureIsSentWhenItsTimeComes(t *testing.T) {
	w, _ := settledCluster(t, 5, 5)
	w.Partition(1, 2, 3)
	for _, n := range w.Nodes[2:4] {
		n.StepClock(5 * time.Minute)
	}
	w.Run(30*time.Second, nil)
	w.Nodes[2].Do(core.SharedSet{Key: "k", Value: "early"})
	w.Run(5*time.Second, nil)
	for _, n := range w.Nodes[2:4] {
		n.StepClock(-5 * time.Minute)
	}
	w.Heal()
	w.Run(3*time.Minute, nil)
	wantShared(t, w.Nodes[0], "k", "")
	w.Run(time.Minute+30*time.Second, nil)
	for _, n := range w.Nodes {
		wantShared(t, n, "k", "early")
	}
}

func TestARestartWithAClockThatIsBehindLosesNothing(t *testing.T) {
	w, _ := settledCluster(t, 4, 6)
	w.Nodes[0].Do(core.SharedSet{Key: "k", Value: "v"})
	awaitSameShared(t, w, 5*time.Second)
	for _, n := range w.Nodes[:3] {
		n.Crash()
		n.StepClock(-10 * time.Minute)
	}
	w.Nodes[3].Crash()
	for _, n := range w.Nodes[:3] {
		n.Restart(true)
	}
	w.Run(30*time.Second, nil)
	for _, n := range w.Nodes[:3] {
		wantShared(t, n, "k", "v")
	}
	w.Nodes[3].Restart(false, w.Nodes[0].Addr) // a newcomer, to whom it is of the future until it is not
	w.Run(11*time.Minute, nil)
	wantShared(t, w.Nodes[3], "k", "v")
}

func TestClocksSetForwardTogetherStopNoWrite(t *testing.T) {
	w, _ := settledCluster(t, 4, 7)
	for _, n := range w.Nodes {
		n.StepClock(2 * time.Minute)
	}
	w.Run(10*time.Second, nil)
	for _, n := range w.Nodes {
		if err := n.Core.CheckSharedSet("k", "v"); err != nil {
			t.Errorf("%s: %v", n.ID, err)
		}
	}
}

func TestShortPausesDoNotAddUpToAWrongClock(t *testing.T) {
	w, _ := settledCluster(t, 4, 8)
	x := w.Nodes[1]
	for range 100 {
		x.Stall(900 * time.Millisecond)
		w.Run(2*time.Second, nil)
	}
	if err := x.Core.CheckSharedSet("k", "v"); err != nil {
		t.Error(err)
	}
}

func TestTheFloorOfTheTombstonesTravels(t *testing.T) {
	s := DefaultSettings(4, 9)
	s.Core.Limits.Shared = 8 << 10 // about a hundred tombstones
	w := New(s)
	w.StartAll()
	w.Run(10*time.Second, nil)
	writer := w.Nodes[0].Core
	var full error
	for i := range 300 {
		key := fmt.Sprint("key", i)
		w.Nodes[0].Do(core.SharedSet{Key: key, Value: "v"})
		w.Run(10*time.Millisecond, nil)
		if err := writer.CheckSharedDelete(key); err != nil {
			full = err
			break
		}
		w.Nodes[0].Do(core.SharedDelete{Key: key})
		w.Run(10*time.Millisecond, nil)
	}
	if !errors.Is(full, core.ErrTombstones) {
		t.Fatalf("more than fits is deleted: %v", full)
	}
	if err := writer.CheckSharedSet("more", "v"); err != nil {
		t.Errorf("a write without a delete: %v", err)
	}
	for i := range 300 { // for 20 minutes, which is no more than there is room for
		key := fmt.Sprint("slow", i)
		w.Run(4*time.Second, nil)
		w.Nodes[i%4].Do(core.SharedSet{Key: key, Value: "v"})
		w.Run(4*time.Second, nil)
		if i > 80 {
			if err := w.Nodes[0].Core.CheckSharedDelete(key); err != nil {
				t.Fatalf("key %d: %v", i, err)
			}
		}
		w.Nodes[0].Do(core.SharedDelete{Key: key})
	}
	awaitSameShared(t, w, 20*time.Second)
}

func TestANodeAwayForLongerThanTheFloorAllowsBringsNoDeletedKeyBack(t *testing.T) {
	for seed := range uint64(10) {
		s := DefaultSettings(4, seed)
		s.Core.Limits.Shared = 8 << 10
		w := New(s)
		w.StartAll()
		w.Run(90*time.Second, nil)
		w.Nodes[0].Do(core.SharedSet{Key: "gone", Value: "v"})
		w.Nodes[0].Do(core.SharedSet{Key: "kept", Value: "v"})
		w.Run(5*time.Second, nil)
		if seed%2 == 0 {
			w.Nodes[3].Crash()
		} else {
			w.Partition(1, 3)
		}
		w.Run(time.Minute, nil)
		w.Nodes[0].Do(core.SharedDelete{Key: "gone"})
		for i := range 200 {
			key := fmt.Sprint("key", i)
			w.Nodes[0].Do(core.SharedSet{Key: key, Value: "v"})
			w.Run(4*time.Second, nil)
			w.Nodes[0].Do(core.SharedDelete{Key: key})
			w.Run(4*time.Second, nil)
		}
		w.Heal()
		if !w.Nodes[3].Running() {
			w.Nodes[3].Restart(true)
		}
		w.Run(30*time.Second, nil)
		wantOneKey(t, w)
	}
}

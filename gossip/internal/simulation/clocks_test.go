package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// mayWrite waits until every running node takes a write to the shared map.
func mayWrite(w *World, within time.Duration) error {
	var err error
	ok := w.Run(within, func() bool {
		err = nil
		for _, n := range w.runningNodes() {
			if e := canShare(n, "k", "v"); e != nil {
				err = fmt.Errorf("%s: %w", n.ID, e)
			}
		}
		return err == nil
	})
	if ok {
		return nil
	}
	return err
}

func TestAllMayWriteSoonAfterAllClocksWereSetForwardTogether(t *testing.T) {
	w, v := settledCluster(t, 3, 1)
	w.StepClocks(2 * time.Minute)
	w.Run(3*time.Second, nil)
	if err := mayWrite(w, time.Minute); err != nil {
		t.Errorf("a minute after all clocks were set forward by two: %v", err)
	}
	requireNoDeaths(t, v)
}

func TestARightClockIsNotRefusedAfterManyShortPauses(t *testing.T) {
	w, _ := settledCluster(t, 3, 2)
	n := w.Nodes[1]
	n.Stutter(90, 900*time.Millisecond, 1500*time.Millisecond)
	w.Run(140*time.Second, nil)
	if err := canShare(n, "k", "v"); err != nil {
		t.Errorf("after 90 pauses of 0.9 s: %v", err)
	}
}

func TestAWriteThatIsAcknowledgedArrivesThoughItsNodeWroteInTheFutureBefore(t *testing.T) {
	w, _ := settledCluster(t, 3, 3)
	n := w.Nodes[2]
	n.Leave()
	w.Run(time.Second, nil)
	n.Start()
	n.StepClock(2 * time.Hour)
	n.Do(core.SharedSet{Key: "alone", Value: "v"})
	w.Run(time.Second, nil)
	n.SetClock(0)
	n.Do(core.Join{Addrs: []string{w.Nodes[0].Addr}})
	w.Run(20*time.Second, nil)
	if canShare(n, "k", "later") != nil {
		return // a refusal promises nothing
	}
	n.Do(core.SharedSet{Key: "k", Value: "later"})
	w.Run(5*time.Second, nil)
	for _, m := range w.Nodes {
		wantShared(t, m, "k", "later")
	}
}

// restartAllBehind has all nodes stop, and start again with clocks that are behind.
func restartAllBehind(w *World, d time.Duration) {
	for _, n := range w.Nodes {
		n.Crash()
	}
	w.Run(time.Second, nil)
	w.StepClocks(-d)
	for _, n := range w.Nodes {
		n.Restart(true, w.Nodes[0].Addr)
	}
	w.Run(30*time.Second, nil)
}

func TestWhatIsOnTheDiskIsKeptByARestartWithClocksThatAreBehind(t *testing.T) {
	w, _ := settledCluster(t, 3, 4)
	w.Nodes[0].Do(core.SharedSet{Key: "k", Value: "100"})
	awaitSameShared(t, w, time.Second)
	w.Run(time.Minute, nil)
	restartAllBehind(w, 24*time.Hour)
	for _, n := range w.Nodes {
		wantShared(t, n, "k", "100")
	}
	w.StepClocks(24 * time.Hour)
	w.Run(5*time.Minute, nil)
	for _, n := range w.Nodes {
		wantShared(t, n, "k", "100")
	}
}

func TestARemovedNodeStaysOutAfterARestartWithClocksThatAreBehind(t *testing.T) {
	w, _ := settledCluster(t, 4, 5)
	x := w.Nodes[3]
	w.Nodes[0].Do(core.Remove{ID: x.ID})
	w.Run(10*time.Second, nil)
	if x.Gone != "removed" {
		t.Fatalf("it was not removed: %q", x.Gone)
	}
	for _, n := range w.Nodes[:3] {
		n.Crash()
	}
	w.Run(time.Second, nil)
	w.StepClocks(-10 * time.Minute)
	for _, n := range w.Nodes[:3] {
		n.Restart(true, w.Nodes[0].Addr)
	}
	w.Run(30*time.Second, nil)
	x.Restart(false, w.Nodes[0].Addr)
	w.Run(30*time.Second, nil)
	for _, n := range w.Nodes[:3] {
		if has(n, x.ID) {
			t.Errorf("%s has the removed node as a member", n.ID)
		}
	}
}

func TestANameCanComeBackAfterAForgedGeneration(t *testing.T) {
	w, _ := settledCluster(t, 4, 6)
	w.Hostile = true
	x := w.Nodes[3]
	x.Crash()
	w.Run(time.Minute, nil)
	s := w.Nodes[0].sortedStreams()[0]
	w.Nodes[0].Do(core.Received{Link: s.link[s.endOf(w.Nodes[0])], Frame: &core.Delta{Records: []core.RecordDelta{{Node: x.hash, ID: x.ID,
		Generation: core.MaxGeneration, To: 1, Entries: []core.Entry{{Version: 1, Kind: core.KindMeta, Key: core.MetaAddr, Value: x.Addr}}}}}})
	w.Run(10*time.Second, nil)
	x.Restart(true, w.Nodes[1].Addr)
	w.Run(30*time.Second, nil)
	if !x.Running() || x.Gone != "" || !w.Together() {
		t.Errorf("it runs: %v, %q; up to all: %v", x.Running(), x.Gone, w.Together())
	}
}

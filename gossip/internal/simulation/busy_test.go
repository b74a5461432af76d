package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// busyCluster returns a settled cluster in which all write, so many times a second together.
func busyCluster(t *testing.T, n int, seed uint64, rate float64) (*World, *Ledger, *Writers) {
	t.Helper()
	w, _ := settledCluster(t, n, seed)
	l := NewLedger(w)
	p := NewWriters(w, l, rate)
	p.Even = true
	p.Start()
	w.Run(5*time.Second, nil)
	return w, l, p
}

// cutAllLinks cuts every link for a while.
func cutAllLinks(w *World, d time.Duration) {
	for _, n := range w.Nodes {
		w.side[n.Index] = n.Index
	}
	w.Run(d, nil)
	w.Heal()
}

func TestMembersWhoseLinksBrokeOftenAreUpAgainWhileAllWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nodes int
		rate  float64
	}{{5, 6.25}, {3, 2}, {5, 5}, {8, 5}, {5, 0.5}} {
		t.Run(fmt.Sprintf("%d nodes, %v writes per second", c.nodes, c.rate), func(t *testing.T) {
			w, l, _ := busyCluster(t, c.nodes, 1, c.rate)
			for range 3 {
				cutAllLinks(w, 15*time.Second)
				w.Run(12*time.Second, nil)
			}
			if bound := HealBound(w.Core); !w.Run(bound, w.Together) {
				t.Errorf("not up to each other %v after the heal: n0 has %d of %d up", bound, w.Nodes[0].Core.UpCount(), c.nodes)
			}
			w.Run(10*time.Second, nil)
			if err := l.Spread(w.runningNodes(), 5*time.Second, false); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStalenessIsTheTruthWhileAllWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nodes int
		rate  float64
	}{{4, 20}, {5, 2}, {12, 1}} {
		t.Run(fmt.Sprintf("%d nodes, %v writes per second", c.nodes, c.rate), func(t *testing.T) {
			w, l, _ := busyCluster(t, c.nodes, 3, c.rate)
			k := NewChecker(w)
			k.Ledger = l
			for range 4 * 40 {
				w.Run(CheckEvery, nil)
				k.Check()
			}
			if err := k.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

// writeFutureStamp has every node but one refuse a write, whose stamp is 70 s ahead of their clocks, and returns the key.
func writeFutureStamp(w *World) string {
	n := w.Nodes[0]
	w.Partition(1, 0)
	w.Run(20*time.Second, nil)
	n.StepClock(70 * time.Second)
	n.Do(core.SharedSet{Key: "early", Value: "v"})
	n.StepClock(-70 * time.Second)
	w.Heal()
	return "early"
}

func TestAnEntryRefusedOnceArrivesWhenItsTimeHasComeThoughAllWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		nodes int
		every time.Duration // of each node
	}{{4, time.Hour}, {4, 400 * time.Millisecond}, {4, 100 * time.Millisecond}, {12, 400 * time.Millisecond}} {
		t.Run(fmt.Sprintf("%d nodes, each every %v", c.nodes, c.every), func(t *testing.T) {
			w, _, p := busyCluster(t, c.nodes, 5, float64(c.nodes)/c.every.Seconds())
			p.Only = func(n *Node) bool { return n.Index > 0 } // what it wrote lately would carry its stamp along
			key := writeFutureStamp(w)
			there := func() bool {
				for _, n := range w.Nodes {
					if _, _, ok := sharedValue(n, key); !ok {
						return false
					}
				}
				return true
			}
			at := w.Now
			if !w.Run(HealBound(w.Core)+30*time.Second, there) {
				t.Errorf("not at all nodes %v after the heal, long after its time", w.Now-at)
			}
		})
	}
}

package gossiptest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// delivery is what writes of the shared map cost, and how long they took.
type delivery struct {
	bytes   float64 // payload of a member for a write, above that of an idle cluster
	p99     time.Duration
	worst   time.Duration
	missing int
}

// deliver has all running members write a key of their own at once, so many times, and lets a second pass after each.
func deliver(w *World, rounds int, disturb func(round int)) delivery {
	w.Run(5*time.Second, nil)
	idle, _ := traffic(w, 20*time.Second)
	var took []time.Duration
	var at time.Duration
	w.OnOutput = func(n *Node, o core.Output) {
		if r, ok := o.(core.RememberShared); ok && r.Entry.Writer != n.hash {
			took = append(took, w.Now-at)
		}
	}
	defer func() { w.OnOutput = nil }()
	before, begin, writes, want, size := w.Count.Bytes, w.Now, 0, 0, 0
	for round := range rounds {
		at = w.Now
		writers := 0
		for _, n := range w.Nodes {
			if n.Running() {
				n.Do(core.SharedSet{Key: "value/" + n.ID, Value: fmt.Sprintf("%08d", round)})
				writers++
			}
		}
		size = writers
		if disturb != nil {
			disturb(round)
		}
		writes += writers
		want += writers * (writers - 1)
		w.Run(time.Second, nil)
	}
	slices.Sort(took)
	d := delivery{missing: want - len(took)}
	if len(took) > 0 {
		d.p99, d.worst = took[min(len(took)-1, want*99/100)], took[len(took)-1]
	}
	d.bytes = (float64(w.Count.Bytes-before) - idle*(w.Now-begin).Seconds()) / float64(writes) / float64(size)
	return d
}

func TestASharedWriteTravelsAlongATree(t *testing.T) {
	for _, n := range []int{16, 64, 128} {
		w, _ := settle(t, n, 11)
		deliver(w, 5, nil) // the tree takes shape
		d := deliver(w, 10, nil)
		t.Logf("%3d members: %.0f B for a write, p99 %v, worst %v", n, d.bytes, d.p99, d.worst)
		if d.bytes > 125 || d.missing > 0 {
			t.Errorf("%d members: %.0f B for a write, %d not delivered within a second", n, d.bytes, d.missing)
		}
		w.Loss = 0.05
		d = deliver(w, 10, nil)
		t.Logf("%3d members, 5 %% loss: %.0f B for a write, p99 %v, worst %v, not within a second %d", n, d.bytes, d.p99, d.worst, d.missing)
		w.Loss = 0
		w.Run(5*time.Second, nil)
		d = deliver(w, 10, func(round int) {
			if round < n/8 {
				w.After(10*time.Millisecond, nil, w.Nodes[1+5*round%n].Crash)
			}
		})
		t.Logf("%3d members, some die: %.0f B for a write, p99 %v, worst %v, not within a second %d", n, d.bytes, d.p99, d.worst, d.missing)
		shares(t, w, 10*time.Second)
	}
}

func TestOneWriterAtATimeCostsNoMoreThanATree(t *testing.T) {
	for _, n := range []int{16, 64} {
		w, _ := settle(t, n, 12)
		deliver(w, 5, nil)
		idle, _ := traffic(w, 20*time.Second)
		before, begin := w.Count.Bytes, w.Now
		const writes = 50
		for i := range writes {
			w.Nodes[i*7%n].Do(core.SharedSet{Key: "k", Value: fmt.Sprintf("%064d", i)})
			w.Run(300*time.Millisecond, nil)
		}
		bytes := (float64(w.Count.Bytes-before) - idle*(w.Now-begin).Seconds()) / writes / float64(n)
		t.Logf("%3d members: a write of 64 B by one of them costs each %.0f B", n, bytes)
		shares(t, w, 5*time.Second)
	}
}

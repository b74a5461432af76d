package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// formCluster starts all nodes, joined to the first, and waits until all know all.
func formCluster(t testing.TB, n int, seed uint64) (*World, *Watch) {
	t.Helper()
	w := New(DefaultSettings(n, seed))
	v := NewWatch(w)
	w.StartAll()
	if !w.Run(60*time.Second, v.Complete) {
		t.Fatalf("seed %d: %d nodes did not form: %d pairs", seed, n, v.Pairs)
	}
	return w, v
}

func kilobytesPer(n int, b int) string { return fmt.Sprintf("%.1f KB", float64(b)/float64(n)/1000) }

func TestFigures(t *testing.T) {
	for _, n := range clusterSizes() {
		t.Run(fmt.Sprint(n), func(t *testing.T) { logFigures(t, n) })
	}
}

func logFigures(t *testing.T, n int) {
	w, v := formCluster(t, n, 7)
	t.Logf("join storm: all know all after %v, %s per member until then", w.Now, kilobytesPer(n, w.Count.Bytes))
	w.Run(30*time.Second-w.Now, nil)
	t.Logf("join storm, 30 s: %s per member; %.1f dials; %v; links %v; false deaths %d", kilobytesPer(n, w.Count.Bytes),
		float64(w.Count.Dials)/float64(n), bytesByKind(w, n), w.countDegrees(), len(v.Deaths))
	if got := w.Count.Bytes / n; got > 100_000 || len(v.Deaths) > 0 {
		t.Errorf("join storm: %d bytes per member, %d false deaths; want at most 100 KB and none", got, len(v.Deaths))
	}
	b, m := w.Count.Bytes, w.Count.Messages
	w.Run(60*time.Second, nil)
	t.Logf("idle: %.0f B/s, %.1f messages/s per member", float64(w.Count.Bytes-b)/float64(n)/60, float64(w.Count.Messages-m)/float64(n)/60)
	if got := (w.Count.Bytes - b) / n / 60; got > 144 {
		t.Errorf("idle: %d B/s per member, want at most 144", got)
	}
	t.Logf("crash: last knows after %v", measureDeaths(t, w, v, 3, (*Node).Crash))
	t.Logf("silent death: last knows after %v", measureDeaths(t, w, v, 4, (*Node).Vanish))
	last := measureUpdates(w, 1000)
	t.Logf("update at the last member: median %v, worst %v", last[len(last)/2], last[len(last)-1])
	if last[len(last)-1] > 3*time.Second {
		t.Errorf("an update took %v, want none later than 3 s", last[len(last)-1])
	}
	b = w.Count.Bytes
	measureUpdates(w, 100)
	t.Logf("cost of an update: %d B per member", (w.Count.Bytes-b)/n/100)
}

func bytesByKind(w *World, n int) string {
	var s string
	for _, k := range []string{"Hello", "Beat", "Delta", "Digest", "Buckets"} {
		s += fmt.Sprintf("%s %s ", k, kilobytesPer(n, w.Count.ByKind[k]))
	}
	return s
}

// measureDeaths kills nodes one after the other and returns how long the last observer needed.
func measureDeaths(t testing.TB, w *World, v *Watch, times int, kill func(*Node)) []time.Duration {
	rng := rand.New(rand.NewPCG(w.Seed, uint64(w.Now)))
	var out []time.Duration
	for range times {
		w.Run(time.Duration(rng.Int64N(int64(time.Second))), nil)
		x := w.Nodes[1+rng.IntN(len(w.Nodes)-1)]
		if !x.Running() {
			continue
		}
		at := w.Now
		v.Deaths = nil
		kill(x)
		v.Forget(x.Index)
		if !w.Run(30*time.Second, v.Complete) {
			t.Errorf("death of %s not known by all after 30 s", x.ID)
		}
		out = append(out, w.Now-at)
		w.Run(15*time.Second, nil)
		for _, d := range v.Deaths {
			if d.Subject != x.Index {
				t.Errorf("false death: %v while %s died at %v", d, x.ID, at)
			}
		}
	}
	return out
}

// measureUpdates writes keys one after the other and returns when the last member had each, sorted.
func measureUpdates(w *World, times int) []time.Duration {
	rng := rand.New(rand.NewPCG(w.Seed, 4))
	var out []time.Duration
	for i := range times {
		x := w.Nodes[rng.IntN(len(w.Nodes))]
		if !x.Running() {
			continue
		}
		at := w.Now
		x.Do(core.Set{Key: "k", Value: fmt.Sprintf("value %10d", i)})
		_, want := x.Core.Has(x.hash)
		done := make([]bool, len(w.Nodes))
		left := 0
		for _, n := range w.Nodes {
			if n.Running() && n != x {
				left++
			}
		}
		w.OnStep = func(n *Node) {
			if done[n.Index] || n == x {
				return
			}
			if _, has := n.Core.Has(x.hash); has >= want {
				done[n.Index] = true
				left--
			}
		}
		w.Run(10*time.Second, func() bool { return left == 0 })
		w.OnStep = nil
		out = append(out, w.Now-at)
		w.Run(time.Duration(rng.Int64N(int64(200*time.Millisecond))), nil)
	}
	slices.Sort(out)
	return out
}

// clusterSizes are the clusters that figures are taken of.
func clusterSizes() []int {
	if *large {
		return []int{64, 256}
	}
	return []int{64}
}

package simulation

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestFiguresUnderFaults(t *testing.T) {
	for _, n := range clusterSizes() {
		for _, f := range []struct {
			name string
			run  func(*testing.T, int)
		}{{"partition", partition}, {"isolated", isolated}, {"loss", loss}, {"stall", stall}, {"oneway", oneWay}, {"mass", mass}} {
			t.Run(fmt.Sprintf("%d/%s", n, f.name), func(t *testing.T) { f.run(t, n) })
		}
	}
}

// settledCluster forms a cluster and lets the overlay settle.
func settledCluster(t testing.TB, n int, seed uint64) (*World, *Watch) {
	w, v := formCluster(t, n, seed)
	w.Run(20*time.Second, nil)
	v.Deaths = nil
	return w, v
}

// requireNoDeaths fails if any node ceased to be up for another.
func requireNoDeaths(t *testing.T, v *Watch) {
	t.Helper()
	if len(v.Deaths) > 0 {
		t.Errorf("%d false deaths, want none", len(v.Deaths))
	}
}

func partition(t *testing.T, n int) {
	for seed := range uint64(3) {
		w, v := settledCluster(t, n, seed)
		var half []int
		for i := range n / 2 {
			half = append(half, 2*i)
		}
		w.Partition(1, half...)
		at, h := w.Now, len(half)
		w.Run(60*time.Second, func() bool { return v.Pairs <= h*(h-1)+(n-h)*(n-h-1) })
		split := w.Now - at
		w.Run(at+60*time.Second-w.Now, nil)
		w.Heal()
		at, b := w.Now, w.Count.Bytes
		ok := w.Run(30*time.Second, v.Complete)
		heal := w.Now - at
		w.Run(5*time.Second, nil)
		if !ok || heal > 12*time.Second {
			t.Errorf("healed: %v after %v, want at most 12 s", ok, heal)
		}
		t.Logf("partition of 60 s: both sides know after %v, healed: %v after %v, %s per member in 5 s", split, ok, heal, kilobytesPer(n, w.Count.Bytes-b))
	}
}

func isolated(t *testing.T, n int) {
	w, v := settledCluster(t, n, 5)
	w.Partition(1, 3)
	at := w.Now
	w.Run(30*time.Second, func() bool { return reachesNone(w.Nodes[3]) })
	know := w.Now - at
	w.Run(60*time.Second, nil)
	w.Heal()
	at = w.Now
	ok := w.Run(30*time.Second, v.Complete)
	t.Logf("isolated: knows after %v; back: %v after %v", know, ok, w.Now-at)
}

func loss(t *testing.T, n int) {
	for _, p := range []float64{0.05, 0.1, 0.2} {
		w, v := settledCluster(t, n, 6)
		w.Loss = p
		b, d := w.Count.Bytes, w.Count.Dials
		w.Run(60*time.Second, nil)
		requireNoDeaths(t, v)
		t.Logf("loss %2.0f %%: %d false deaths in 60 s, %d B/s, %.3f dials/s per member", p*100, len(v.Deaths), (w.Count.Bytes-b)/n/60, float64(w.Count.Dials-d)/float64(n)/60)
	}
}

func stall(t *testing.T, n int) {
	w, v := settledCluster(t, n, 8)
	for _, i := range rand.New(rand.NewPCG(8, 8)).Perm(n)[:n/4] {
		w.Nodes[i].Stall(3 * time.Second)
	}
	w.Run(30*time.Second, nil)
	requireNoDeaths(t, v)
	t.Logf("%d of %d stall for 3 s: %d deaths", n/4, n, len(v.Deaths))
}

func oneWay(t *testing.T, n int) {
	w, v := settledCluster(t, n, 9)
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range n {
		for j := range i {
			if rng.IntN(4) == 0 {
				if rng.IntN(2) == 0 {
					w.Cut(i, j)
				} else {
					w.Cut(j, i)
				}
			}
		}
	}
	b := w.Count.Bytes
	w.Run(60*time.Second, nil)
	requireNoDeaths(t, v)
	t.Logf("a quarter of the links cut one way for 60 s: %d deaths, %d B/s; links %v", len(v.Deaths), (w.Count.Bytes-b)/n/60, w.countDegrees())
}

func mass(t *testing.T, n int) {
	false1 := 0
	var worst time.Duration
	for seed := range uint64(5) {
		w, v := settledCluster(t, n, 100+seed)
		at, left := massDeath(w, v, n*3/10)
		if !w.Run(30*time.Second, v.Complete) {
			t.Errorf("seed %d: views not right 30 s after the deaths", seed)
		}
		worst = max(worst, w.Now-at)
		w.Run(10*time.Second, nil)
		for _, d := range v.Deaths {
			if left[d.Subject] && left[d.Observer] {
				false1++
			}
		}
	}
	if false1 > 0 {
		t.Errorf("%d false deaths among the survivors", false1)
	}
	t.Logf("30 %% die at once, 5 seeds: known by all after at most %v, %d false deaths", worst, false1)
}

// massDeath crashes k nodes at once and returns when, and who is left.
func massDeath(w *World, v *Watch, k int) (at time.Duration, left map[int]bool) {
	left = map[int]bool{}
	for i := range w.Nodes {
		left[i] = true
	}
	v.Deaths = nil
	for _, i := range rand.New(rand.NewPCG(w.Seed, 10)).Perm(len(w.Nodes))[:k] {
		w.Nodes[i].Crash()
		v.Forget(i)
		left[i] = false
	}
	return w.Now, left
}

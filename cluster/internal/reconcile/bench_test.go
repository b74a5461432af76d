package reconcile

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// BenchmarkSteadyRound measures a round in which nothing changed, beside the set difference
// that a strategy would compute for itself: both maps again every round.
func BenchmarkSteadyRound(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(fmt.Sprint("peers=", n), func(b *testing.B) {
			all := make([]peer.Peer, n)
			for i := range all {
				all[i] = peer.Peer{Addr: fmt.Sprintf("10.%d.%d.%d:7946", i>>16, i>>8&255, i&255), ID: fmt.Sprint("node-", i)}
			}
			l := New(false, rand.New(rand.NewPCG(1, 2)))
			now := time.Unix(1_000_000, 0)
			l.AddTopology("t", Prune{After: time.Minute, MaxFraction: 1})
			l.Set("t", all, now)
			l.Round(all, now)

			var naive time.Duration
			for range 3 {
				naive += timed(func() { naiveDiff(all, all) })
			}
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(Interval)
				if plan := l.Round(all, now); len(plan.Dial)+len(plan.Drop) > 0 {
					b.Fatal("a steady round has a plan")
				}
			}
			perRound := float64(b.Elapsed()) / float64(b.N)
			b.ReportMetric(float64(naive)/3/perRound, "naive/ours")
		})
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

// naiveDiff is the peer of the benchmark: two sets and their differences.
func naiveDiff(wanted, connected []peer.Peer) (add, remove []peer.Peer) {
	w, c := make(map[string]bool), make(map[string]bool)
	for _, p := range wanted {
		w[p.Addr] = true
	}
	for _, p := range connected {
		c[p.Addr] = true
		if !w[p.Addr] {
			remove = append(remove, p)
		}
	}
	for _, p := range wanted {
		if !c[p.Addr] {
			add = append(add, p)
		}
	}
	return add, remove
}

package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// A quarter of the members is cut off from the others twice, while all write. Links that broke in the first cut are withheld in the second one,
// and members whose neighbours are all on the other side have to find others on their own.
func TestNoMemberReportsOneOfItsOwnSideGoneInASecondCut(t *testing.T) {
	t.Parallel()
	n, seeds := 64, []uint64{0, 1, 16}
	if *large {
		n, seeds = 256, []uint64{0, 1, 4, 19} // 4 and 19, and 16 above: links of one side closed before those of both sides were published again
	}
	for _, seed := range seeds {
		w, v := settledCluster(t, n, seed)
		writes := 0
		var write func()
		write = func() {
			writes++
			w.Nodes[writes%n].Do(core.SharedSet{Key: fmt.Sprint("k", writes%n), Value: fmt.Sprint(writes)})
			w.After(50*time.Millisecond, nil, write)
		}
		write()
		inside := rand.New(rand.NewPCG(seed, 7)).Perm(n)[:n/4]
		for range 2 {
			w.Partition(1, inside...)
			w.Run(8*time.Second, nil)
			w.Heal()
			w.Run(8*time.Second, nil)
		}
		own := 0
		for _, d := range v.Deaths {
			if slices.Contains(inside, d.Observer) == slices.Contains(inside, d.Subject) {
				own++
			}
		}
		if own > 0 || !w.Together() {
			t.Errorf("seed %d: %d reports name a member of the own side among %d gone; all together again: %v", seed, own, n, w.Together())
		}
	}
}

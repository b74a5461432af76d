package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// blackHoles returns addresses that swallow dials.
func blackHoles(n int) (addrs []string) {
	for i := range n {
		addrs = append(addrs, fmt.Sprintf("10.8.%d.%d:7946", i/250, i%250))
	}
	return addrs
}

// metAfter is how long a node needs that remembers dead members and is then given seeds, one of which lives.
func metAfter(dead int, seeds func(live string) []string) (time.Duration, bool) {
	w := New(DefaultSettings(2, 1))
	a, b := w.Nodes[0], w.Nodes[1]
	a.Start()
	for i, addr := range blackHoles(dead) {
		id := fmt.Sprint("dead", i)
		b.disk.members[id] = core.Remember{ID: id, Addr: addr, Generation: uint64(w.base.UnixMilli()) - 1}
	}
	b.disk.contact.At = core.MomentAt(w.base)
	w.Run(time.Second, nil)
	at := w.Now
	b.Restart(true, seeds(a.Addr)...)
	ok := w.Run(10*time.Minute, func() bool { return b.Core.IsUp(a.hash) && a.Core.IsUp(b.hash) })
	return w.Now - at, ok
}

func TestTheAddressThatDiscoveryNamesIsReachedAtOnceWhateverIsRemembered(t *testing.T) {
	for _, dead := range []int{0, 10, 20, 50, 200} {
		if took, ok := metAfter(dead, func(live string) []string { return []string{live} }); !ok || took > time.Second {
			t.Errorf("%d dead members remembered: met %v after %v, want within 1 s", dead, ok, took)
		}
	}
	for place := range 4 {
		took, ok := metAfter(200, func(live string) []string {
			seeds := []string{"10.7.0.1:1", "10.7.0.2:1", "10.7.0.3:1", "10.7.0.4:1"}
			seeds[place] = live
			return seeds
		})
		if !ok || took > time.Second {
			t.Errorf("200 dead members remembered, place %d of 4 that discovery names: met %v after %v, want within 1 s", place+1, ok, took)
		}
	}
}

// Four dials at once, each until its timeout, reach every address of a long list in one pass.
func TestTheOneLiveSeedOfALongListIsReachedInOnePass(t *testing.T) {
	for _, place := range []int{0, 50, 199} {
		took, ok := metAfter(0, func(live string) []string {
			seeds := blackHoles(200)
			seeds[place] = live
			return seeds
		})
		bound := time.Second + time.Duration(1+place/4)*3*time.Second*11/10
		if !ok || took > bound {
			t.Errorf("place %d of 200: met %v after %v, want within %v", place+1, ok, took, bound)
		}
	}
}

func TestAPeerThatBreaksEveryStreamIsDialledLessAndLess(t *testing.T) {
	w, _ := settledCluster(t, 4, 2)
	x := w.Nodes[3]
	x.Slam(true)
	x.Crash()
	w.Run(30*time.Second, nil)
	before := w.Nodes[0].Count.Dials
	w.Run(time.Minute, nil)
	if got := w.Nodes[0].Count.Dials - before; got > 20 {
		t.Errorf("n0 dials a peer that breaks every stream %d times in a minute, want at most 20", got)
	}
}

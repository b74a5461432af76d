package integration

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

var (
	histories = flag.Int("histories", 24, "histories of calls that a test of them makes, each with a fault")
	clusters  = flag.Int("clusters", 6, "clusters that make them at the same time")
)

// One history is the calls of some clients at all nodes while one node is restarted, loses its quorum part, is cut off or hands over its
// leadership; the next one has other keys.
func TestHistoriesOfRealNodesWithFaultsAreLinearizable(t *testing.T) {
	t.Parallel()
	var next, unknown, failed, all atomic.Int64
	faults := make([]atomic.Int64, len(historyFaults))
	var wg sync.WaitGroup
	for range *clusters {
		wg.Go(func() {
			s, err := quorumlab.NewSockets(t.TempDir(), 3)
			defer s.Stop()
			if err != nil {
				t.Error(err)
				return
			}
			for i := next.Add(1); i <= int64(*histories); i = next.Add(1) {
				fault := rand.IntN(len(historyFaults))
				calls, err := history(s, fmt.Sprintf("h%d.", i), historyFaults[fault].do)
				if err == nil {
					err = quorumlab.CheckLinear(calls, time.Minute)
				}
				if err != nil {
					t.Errorf("history %d with %s: %v: %+v", i, historyFaults[fault].name, err, calls)
					return
				}
				faults[fault].Add(1)
				all.Add(int64(len(calls)))
				for _, c := range calls {
					if c.OutcomeUnknown {
						unknown.Add(1)
					}
					if c.Failed {
						failed.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for i, f := range historyFaults {
		t.Logf("%d histories with %s", faults[i].Load(), f.name)
	}
	t.Logf("%d histories with %d calls, of which %d failed and %d have an unknown outcome", *histories, all.Load(), failed.Load(), unknown.Load())
}

// historyFaults are what happens to the leader, or to another node, in the middle of a history.
var historyFaults = []struct {
	name string
	do   func(s *quorumlab.Sockets, i int) error
}{
	{"a quorum part that ends and begins again", func(s *quorumlab.Sockets, i int) error { return s.RestartPart(i, rand.N(300*time.Millisecond)) }},
	{"a node that ends and begins again", func(s *quorumlab.Sockets, i int) error { return s.Restart(i, rand.N(300*time.Millisecond)) }},
	{"a node that is cut off for a while", func(s *quorumlab.Sockets, i int) error {
		s.Cut(i, true)
		time.Sleep(rand.N(1500 * time.Millisecond))
		s.Cut(i, false)
		return nil
	}},
}

// history has clients call the map at each node until the fault is over and each has called for a while.
func history(s *quorumlab.Sockets, prefix string, fault func(s *quorumlab.Sockets, i int) error) ([]quorumlab.Call, error) {
	const clientsOfEach, least = 2, 10
	if err := s.Await(time.Minute); err != nil {
		return nil, err
	}
	var over atomic.Bool
	var mu sync.Mutex
	var calls []quorumlab.Call
	var wg sync.WaitGroup
	for n := range 3 {
		for c := range clientsOfEach {
			wg.Go(func() {
				for k := 0; k < least || !over.Load(); k++ {
					call := quorumlab.CallMap(s.Quorum(n).Map(), fmt.Sprintf("%d-%d", n, c), k, prefix)
					mu.Lock()
					calls = append(calls, call)
					mu.Unlock()
					time.Sleep(rand.N(20 * time.Millisecond))
				}
			})
		}
	}
	time.Sleep(rand.N(100 * time.Millisecond))
	victim := rand.IntN(3)
	if leader := s.Leader(); leader >= 0 && rand.IntN(3) > 0 {
		victim = leader
	}
	err := fault(s, victim)
	if err == nil {
		err = s.Await(time.Minute)
	}
	over.Store(true)
	wg.Wait()
	return calls, err
}

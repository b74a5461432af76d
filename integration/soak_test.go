package integration

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var soakFor = flag.Duration("soak", 2*time.Minute, "for how long the soak test makes trouble")

const (
	soakHosts    = 12
	soakUnkilled = 3 // hosts 1 to 3 are frozen and cut off like all others but never killed, so that what grows in them is seen

	troubleFor = 20 * time.Second // in one round

	// togetherWithin is how long after the last fault of a round all must be of one mind. The log has the figures: 1 to 3 s on a machine
	// that does nothing else, and up to 8 s for a link that is dead to be found out (Silence, 4.5 s) and a call that hangs to be given up
	// (DialTimeout, 3 s). On a busy one the writes take so long from node to node that two of them are hardly ever seen equal.
	togetherWithin = 30 * time.Second
	statusEvery    = 300 * time.Millisecond
	statusWithin   = 4 * time.Second // half of it for the members that are asked

	membersEvery = 500 * time.Millisecond
)

// soak is a fleet in trouble.
type soak struct {
	*fleet
	random *rand.Rand
	ledger *ledger
	faults []*fault // that last
	begun  int      // faults so far
	starts []int    // processes begun, by host

	// A node's lock is held for writing while it cannot answer commands, frozen or killed, and for reading while a command that must
	// not fail is under way.
	locks []sync.RWMutex
	asked int // commands that did not fail; of the goroutine of load
}

func TestASoakOfFaultsLosesNothingAcknowledged(t *testing.T) { // not beside other tests: the bounds are those of a machine of its own
	s := newSoak(t)
	stop := s.load()
	begin := time.Now()
	var used []usage
	for time.Since(begin) < *soakFor {
		s.trouble(min(troubleFor, *soakFor-time.Since(begin)))
		s.comesTogether()
		used = append(used, s.usage())
	}
	stop()
	s.ledger.logCounts(t)
	s.agree(togetherWithin)
	s.eventually(0, func(ctx context.Context, host int) (string, error) {
		got, err := s.state(ctx, host)
		return s.ledger.difference(got), err
	})
	wantFlat(t, used)
	s.logsAreShort(time.Since(begin))
}

// newSoak starts a node in every host and waits until they are one cluster.
func newSoak(t *testing.T) *soak {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := &soak{
		fleet: durablyFormed(t, soakHosts), random: rand.New(rand.NewPCG(seed, 0)), ledger: newLedger(soakHosts, seed),
		starts: make([]int, soakHosts+1), locks: make([]sync.RWMutex, soakHosts+1),
	}
	for i := range s.starts {
		s.starts[i] = 1
	}
	return s
}

// load has nodes write and answer commands, until stop is called or the test ends.
func (s *soak) load() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var tasks sync.WaitGroup
	tasks.Go(func() { s.write(ctx) })
	tasks.Go(func() { s.askForMembers(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		tasks.Wait()
		s.t.Logf("%d times a node was asked for its members", s.asked)
	})
	s.t.Cleanup(stop)
	return stop
}

// askForMembers runs the command members at one node after the other that neither is frozen nor killed: it must never fail.
func (s *soak) askForMembers(ctx context.Context) {
	tick := time.NewTicker(membersEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		host := 1 + n%soakHosts
		if !s.locks[host].TryRLock() {
			continue
		}
		list, err := answer[[]struct{ Name string }](context.WithoutCancel(ctx), s.fleet, host, "members")
		s.locks[host].RUnlock()
		if err != nil || len(list) == 0 {
			s.t.Errorf("members at %s: %v, %v, want a list", name(host), list, err)
			continue
		}
		s.asked++
	}
}

// comesTogether waits until all nodes see all others up, and each has found its state equal to that of each other since the last
// fault. While writes go on two states are hardly ever equal for long, so one moment will do for each pair.
func (s *soak) comesTogether() {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(s.t.Context(), togetherWithin)
	defer cancel()
	var all sync.WaitGroup
	lacks, complete := make([]string, soakHosts+1), make([]time.Time, soakHosts+1)
	for i := 1; i <= soakHosts; i++ {
		all.Go(func() { complete[i], lacks[i] = s.isTogether(ctx, i) })
	}
	all.Wait()
	took := time.Since(begin).Round(time.Millisecond)
	if lacks = slices.DeleteFunc(lacks, func(s string) bool { return s == "" }); len(lacks) > 0 {
		s.t.Errorf("still after %v:\n%s", took, strings.Join(lacks, "\n"))
		return
	}
	last := slices.MaxFunc(complete, time.Time.Compare)
	s.t.Logf("all views were complete %v after the last fault, all pairs had been equal after %v", last.Sub(begin).Round(time.Millisecond), took)
}

// isTogether asks a node until it is of one mind with all others, and returns what is missing if ctx is done before. The view is complete
// since the first answer that has that.
func (s *soak) isTogether(ctx context.Context, host int) (complete time.Time, lacks string) {
	same := map[string]bool{}
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		status, err := s.status(ctx, host)
		for _, other := range status.Agreement.Same {
			same[other] = true
		}
		if err != nil || status.Members["up"]+status.Members["degraded"] < soakHosts {
			complete = time.Time{}
		} else if complete.IsZero() {
			complete = time.Now()
		}
		if !complete.IsZero() && len(same) == soakHosts {
			return complete, ""
		}
		if ctx.Err() == nil || err == nil {
			lacks = fmt.Sprintf("%s sees %v and was equal to %v; %v", name(host), status.Members, slices.Sorted(maps.Keys(same)), err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return complete, lacks
		}
	}
}

// nodeStatus is what matters here of what a node answers to status.
type nodeStatus struct {
	Members   map[string]int
	Agreement struct{ Same []string }
}

func (s *soak) status(ctx context.Context, host int) (status nodeStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	err = s.call(ctx, host, http.MethodGet, "status?agreement", nil, &status)
	return status, err
}

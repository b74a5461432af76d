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

	// togetherWithin is how long after the last fault of a round all must be of one mind. The log has the figures: mostly half a second,
	// and up to 8 s for a link that is dead to be found out (Silence, 4.5 s) and a call that hangs to be given up (DialTimeout, 3 s).
	togetherWithin = 12500 * time.Millisecond
	statusEvery    = 100 * time.Millisecond
	statusWithin   = 4 * time.Second

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

// comesTogether waits until all nodes see all others up, and each two of them have been in one state since the last fault.
func (s *soak) comesTogether() {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(s.t.Context(), togetherWithin)
	defer cancel()
	var all sync.WaitGroup
	seen := states{in: map[string]map[int]bool{}, equal: make([]map[int]bool, soakHosts+1)}
	lacks, complete := make([]string, soakHosts+1), make([]time.Time, soakHosts+1)
	for i := 1; i <= soakHosts; i++ {
		seen.equal[i] = map[int]bool{}
		all.Go(func() { complete[i], lacks[i] = s.isTogether(ctx, i, &seen) })
	}
	all.Wait()
	took := time.Since(begin).Round(time.Millisecond)
	if lacks = slices.DeleteFunc(lacks, func(s string) bool { return s == "" }); len(lacks) > 0 {
		s.t.Errorf("still after %v:\n%s", took, strings.Join(lacks, "\n"))
		return
	}
	last := slices.MaxFunc(complete, time.Time.Compare)
	s.t.Logf("all views were complete %v after the last fault, each two nodes had been in one state after %v", last.Sub(begin).Round(time.Millisecond), took)
}

// states remembers in which states nodes were seen. While writes go on, two nodes are hardly ever in one state at the moment at which
// the test looks. But if each was in it at some time, neither lacks what the other had then.
type states struct {
	mu    sync.Mutex
	in    map[string]map[int]bool // hosts, by state
	equal []map[int]bool          // by host: those that were seen in a state in which it was seen, too
}

// note takes down the state of a host, and returns the hosts that were seen in one state with it so far.
func (s *states) note(host int, state string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in[state] == nil {
		s.in[state] = map[int]bool{}
	}
	s.in[state][host] = true
	for other := range s.in[state] {
		s.equal[host][other], s.equal[other][host] = true, true
	}
	return slices.Sorted(maps.Keys(s.equal[host]))
}

// isTogether asks a node until it is of one mind with all others, and returns what is missing if ctx is done before. The view is complete
// since the first answer that has that.
func (s *soak) isTogether(ctx context.Context, host int, seen *states) (complete time.Time, lacks string) {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		status, err := s.status(ctx, host)
		var equal []int
		if err == nil {
			equal = seen.note(host, status.Gossip.Hash+" "+status.Gossip.SharedHash)
		}
		if err != nil || status.Members["up"]+status.Members["degraded"] < soakHosts {
			complete = time.Time{}
		} else if complete.IsZero() {
			complete = time.Now()
		}
		if !complete.IsZero() && len(equal) == soakHosts {
			return complete, ""
		}
		if ctx.Err() == nil || err == nil {
			lacks = fmt.Sprintf("%s sees %v and was in one state with %v; %v", name(host), status.Members, equal, err)
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
	Members map[string]int
	Gossip  struct {
		Hash       string
		SharedHash string `json:"shared_hash"`
	}
}

func (s *soak) status(ctx context.Context, host int) (status nodeStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	err = s.call(ctx, host, http.MethodGet, "status", nil, &status)
	return status, err
}

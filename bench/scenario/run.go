package scenario

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
	"github.com/goconvoke/convoke/bench/fabric"
)

// settle is how long a formed cluster is left alone before something happens to it.
const settle = 30 * time.Second

// run is one play of a scenario.
type run struct {
	Settings
	net     *fabric.Fabric
	view    *view
	cluster engine.Cluster
	started int // members; the others are newcomers
	rng     *rand.Rand
	samples Samples
}

// Play plays the scenario once with a fresh cluster. It has to be called in a bubble of testing/synctest, in which time
// passes as fast as the members can work.
func (s Scenario) Play(factory engine.Factory, settings Settings) (Samples, error) {
	r := &run{
		Settings: settings, net: fabric.New(settings.Members, settings.Seed), view: newView(settings.Members, s.newcomers),
		started: settings.Members - s.newcomers, rng: rand.New(rand.NewPCG(settings.Seed, 2)), samples: Samples{},
	}
	r.view.trace = settings.Trace
	r.cluster = factory(settings.Members, r.net, r.view.sink)
	defer r.cluster.Close()
	defer r.net.Close()
	for i := range r.started {
		if err := r.cluster.Start(i); err != nil {
			return nil, fmt.Errorf("start member %d: %w", i, err)
		}
	}
	time.Sleep(500 * time.Millisecond)
	if s.formed {
		if err := r.formCluster(); err != nil {
			return nil, err
		}
	}
	err := s.play(r)
	return r.samples, err
}

// formCluster has all join, waits until all know all, and lets the traffic of that die down.
func (r *run) formCluster() error {
	wait := r.joinAll()
	defer wait()
	if _, ok := r.view.until(r.Limit, r.view.isWhole); !ok {
		return fmt.Errorf("the cluster did not form within %v: %d of %d pairs are missing",
			r.Limit, r.view.missingCount(), r.started*(r.started-1))
	}
	time.Sleep(settle)
	r.view.forgetDeaths()
	return nil
}

// joinRetry is how long a member waits before it tries to join again.
const joinRetry = time.Second

// joinAll has all members join through the first at once. What it returns waits until they have.
func (r *run) joinAll() (wait func()) {
	var joins sync.WaitGroup
	end := time.Now().Add(r.Limit)
	for i := 1; i < r.started; i++ {
		joins.Go(func() {
			for r.cluster.Join(i, 0) != nil && time.Now().Before(end) {
				time.Sleep(joinRetry)
			}
		})
	}
	return joins.Wait
}

// traceMark adds a line to the trace.
func (r *run) traceMark(format string, args ...any) {
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	r.view.traceLine(format, args...)
}

func (r *run) add(key string, value float64) { r.samples[key] = append(r.samples[key], value) }

// waitMetric waits for a condition and adds how long after start it came true.
func (r *run) waitMetric(key string, start time.Time, limit time.Duration, condition func() bool) bool {
	at, ok := r.view.until(limit, condition)
	if ok {
		r.add(key, at.Sub(start).Seconds())
	} else {
		r.add(key, math.Inf(1))
	}
	return ok
}

// perMember adds a share of what all members did.
func (r *run) perMember(key string, total uint64) { r.add(key, float64(total)/float64(r.Members)) }

// pickMember returns a live member other than the seed.
func (r *run) pickMember() int {
	for {
		if i := 1 + r.rng.IntN(r.Members-1); !r.view.dead[i] {
			return i
		}
	}
}

// pauseRandom waits a random time, so that what happens does not keep step with the timers of the members.
func (r *run) pauseRandom(most time.Duration) { time.Sleep(time.Duration(r.rng.Int64N(int64(most)))) }

func anyMember(int, int) bool { return true }

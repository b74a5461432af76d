package strategytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// newSource makes the source of a rule, with its defaults filled in.
func newSource(tb testing.TB, s Subject) *Source {
	tb.Helper()
	src := s.Setup(tb)
	if src == nil || src.Answer == nil {
		tb.Fatalf("Setup gave no source that can answer")
	}
	if src.Peers == nil {
		src.Peers = []peer.Peer{{Addr: "10.0.0.1:7946"}, {Addr: "10.0.0.2:7946"}, {Addr: "10.0.0.3:7946"}}
	}
	if len(src.Peers) < 2 {
		tb.Fatalf("the source has %d Peers, want two or more", len(src.Peers))
	}
	return src
}

func (s Subject) deadline() time.Duration {
	if s.Deadline > 0 {
		return s.Deadline
	}
	return defaultDeadline
}

func (s Subject) recovery() time.Duration {
	if s.Recovery > 0 {
		return s.Recovery
	}
	return defaultRecovery
}

// decodeConfig decodes a configuration for the kind.
func decodeConfig(s Subject, config string) (*strategy.Configured, error) {
	reg, err := strategy.NewRegistry(s.Kind)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(config), &doc); err != nil {
		return nil, err
	}
	var node *yaml.Node
	if len(doc.Content) > 0 {
		node = doc.Content[0]
	}
	return reg.Configure(reg.Names()[0], node, strategy.Source{File: "strategytest.yaml"})
}

// newStrategy makes the strategy that asks src.
func (s Subject) newStrategy(tb testing.TB, src *Source) strategy.Strategy {
	tb.Helper()
	st, err := s.configuration(tb, src).New(src.Env)
	if err != nil {
		tb.Fatalf("New with the good configuration: %v", err)
	}
	return st
}

// configuration returns the good configuration of src.
func (s Subject) configuration(tb testing.TB, src *Source) *strategy.Configured {
	tb.Helper()
	c, err := decodeConfig(s, src.Config)
	if err != nil {
		tb.Fatalf("the good configuration is refused: %v", err)
	}
	return c
}

const (
	minRestart   = time.Second
	maxRestart   = time.Minute
	restartReset = 5 * time.Minute // of a Run, after which a crash counts as the first again
)

// running is a strategy under observation. It does as the supervisor does: an early return or a
// panic of Run is recorded like a Fail, and a new strategy is run after a backoff of 1 s doubling
// to 60 s, unless the error is permanent.
type running struct {
	*Sink
	tb     testing.TB
	cancel context.CancelFunc
	done   chan struct{} // closed when no Run will follow

	mu        sync.Mutex
	crashes   []error // of Runs that ended early, the error of each; nil for a Run that returned none
	permanent bool    // the last crash ended it
}

// start starts the strategy that asks src. It is ended and awaited when the test ends.
func (s Subject) start(tb testing.TB, src *Source) *running {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Sink: new(Sink), tb: tb, cancel: cancel, done: make(chan struct{})}
	c := s.configuration(tb, src)
	go func() {
		defer close(r.done)
		r.supervise(ctx, c, src.Env)
	}()
	tb.Cleanup(r.stop)
	return r
}

// supervise runs strategies one after the other until ctx is done or an error is permanent.
func (r *running) supervise(ctx context.Context, c *strategy.Configured, env strategy.Env) {
	for failures := 1; ; failures++ {
		began := time.Now()
		err := r.runOnce(ctx, c, env)
		if ctx.Err() != nil {
			return
		}
		r.recordCrash(err)
		if strategy.IsPermanent(err) {
			return
		}
		if time.Since(began) >= restartReset {
			failures = 1
		}
		if backoff.Sleep(ctx, backoff.Doubling(minRestart, maxRestart, failures)) != nil {
			return
		}
	}
}

// runOnce makes a strategy and runs it; a panic becomes an error.
func (r *running) runOnce(ctx context.Context, c *strategy.Configured, env strategy.Env) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	st, err := c.New(env)
	if err != nil {
		return err
	}
	return st.Run(ctx, r.Sink)
}

// recordCrash records an early end of Run.
func (r *running) recordCrash(err error) {
	r.mu.Lock()
	r.crashes = append(r.crashes, err)
	r.permanent = strategy.IsPermanent(err)
	r.mu.Unlock()
	if err == nil {
		err = errors.New("Run returned before its context ended, without an error")
	}
	r.Fail(err)
}

// stop ends the strategy and waits for the return of Run, which must be soon.
func (r *running) stop() {
	r.cancel()
	select {
	case <-r.done:
	case <-time.After(returnsWithin):
		r.tb.Errorf("Run has not returned %v after its context ended", returnsWithin)
	}
}

// checkStillRunning reports a strategy that will not be run again although its context has not ended.
func (r *running) checkStillRunning() {
	r.tb.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.permanent {
		r.tb.Fatalf("Run ended with a permanent error, after which it is not called again, although the source can recover: %v",
			r.crashes[len(r.crashes)-1])
	}
}

// silentCrash reports whether a Run ended early without an error.
func (r *running) silentCrash() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.crashes, nil)
}

// awaitCalls waits for cond and reports what it waited for when that does not come in time.
func (r *running) awaitCalls(d time.Duration, what string, cond func([]Call) bool) []Call {
	r.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	calls, err := r.WaitFor(ctx, cond)
	if err != nil {
		r.tb.Fatalf("%s: not within %v; the sink was called: %s", what, d, lastCalls(calls))
	}
	return calls
}

// passTime lets fake time pass and all goroutines act.
func passTime(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// lastCalls returns the last calls for a message.
func lastCalls(calls []Call) string {
	if len(calls) == 0 {
		return "never"
	}
	const most = 8
	var all []string
	for _, c := range calls[max(0, len(calls)-most):] {
		all = append(all, c.String())
	}
	if len(calls) > most {
		all = append([]string{fmt.Sprintf("(%d more)", len(calls)-most)}, all...)
	}
	return strings.Join(all, ", ")
}

// setOf returns a condition: the newest Set names exactly these peers.
func setOf(peers []peer.Peer) func([]Call) bool {
	want := Addrs(peers)
	return func(calls []Call) bool {
		for _, c := range slices.Backward(calls) {
			if c.Method == Set {
				return slices.Equal(Addrs(c.Peers), want)
			}
		}
		return false
	}
}

// checkAddrs reports addresses that are not canonical or named twice in one call, and a Fail without an error.
func checkAddrs(tb testing.TB, calls []Call) {
	tb.Helper()
	for _, c := range calls {
		if c.Method == Fail && c.Err == nil {
			tb.Errorf("Fail was called without an error")
		}
		seen := make(map[string]bool)
		for _, p := range c.Peers {
			if canonical, err := peer.Addr(p.Addr); err != nil || canonical != p.Addr {
				tb.Errorf("%s: address %q is not canonical; pass it through peer.Addr", c.Method, p.Addr)
			}
			if seen[p.Addr] {
				tb.Errorf("%s: address %q is there twice", c.Method, p.Addr)
			}
			seen[p.Addr] = true
		}
	}
}

// goroutineStacks returns the stacks of the goroutines of this bubble by their number.
func goroutineStacks() map[string]string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var bubble string
	all := make(map[string]string)
	for i, stack := range bytes.Split(buf, []byte("\n\n")) {
		head, _, _ := strings.Cut(string(stack), "\n")
		_, b, _ := strings.Cut(head, "synctest bubble ")
		b = strings.TrimRight(b, "]:")
		b, _, _ = strings.Cut(b, ",")
		if i == 0 {
			bubble = b // the caller's own
		}
		if b == bubble {
			number, _, _ := strings.Cut(strings.TrimPrefix(head, "goroutine "), " ")
			all[number] = string(stack)
		}
	}
	return all
}

// leakedGoroutines returns the stacks of the goroutines that are there now and were not before.
func leakedGoroutines(before map[string]string) []string {
	var stacks []string
	for number, stack := range goroutineStacks() {
		if _, old := before[number]; !old {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

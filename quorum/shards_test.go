package quorum

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
	"github.com/hashicorp/go-hclog"
)

// holders is who works on which shard now, with an error for everything that must not happen.
type holders struct {
	mu     sync.Mutex
	now    map[int]string
	tokens map[int]Token
	errs   []error
	slow   time.Duration // how long a function takes to return
}

func newHolders() *holders { return &holders{now: map[int]string{}, tokens: map[int]Token{}} }

// work returns a function that works until its context ends.
func (h *holders) work(name string) func(context.Context, Hold) error {
	return func(ctx context.Context, hold Hold) error {
		h.begin(name, hold)
		<-ctx.Done()
		time.Sleep(h.slow)
		h.end(name, hold)
		return ctx.Err()
	}
}

func (h *holders) begin(name string, hold Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if other := h.now[hold.Shard]; other != "" {
		h.errs = append(h.errs, fmt.Errorf("%s begins shard %d while %s works on it", name, hold.Shard, other))
	}
	if hold.Token <= h.tokens[hold.Shard] {
		h.errs = append(h.errs, fmt.Errorf("%s begins shard %d with token %d after %d", name, hold.Shard, hold.Token, h.tokens[hold.Shard]))
	}
	h.now[hold.Shard], h.tokens[hold.Shard] = name, hold.Token
}

func (h *holders) end(name string, hold Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now[hold.Shard] == name {
		delete(h.now, hold.Shard)
	}
}

// count returns how many shards each member works on.
func (h *holders) count() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := map[string]int{}
	for _, name := range h.now {
		n[name]++
	}
	return n
}

func (h *holders) total() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.now)
}

// check reports what must not have happened.
func (h *holders) check(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, err := range h.errs {
		t.Error(err)
	}
}

var orders = Settings{Count: 12}

// workAll has all members work on the group. The returned function ends that and waits.
func (c *memoryQuorum) workAll(s Settings, h *holders) (groups []*Shards, stop func()) {
	return c.workOn(c.members, s, h)
}

func (c *memoryQuorum) workOn(members []*memoryMember, s Settings, h *holders) (groups []*Shards, stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	var wg sync.WaitGroup
	for _, m := range members {
		g := m.open(s)
		groups = append(groups, g)
		wg.Go(func() {
			if err := g.Work(ctx, h.work(m.name)); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStopped) {
				c.t.Errorf("Work at %s = %v", m.name, err)
			}
		})
	}
	return groups, func() {
		cancel()
		wg.Wait()
	}
}

// open opens the group that all tests use.
func (m *memoryMember) open(s Settings) *Shards {
	g, err := m.shards("orders", s)
	if err != nil {
		m.of.t.Fatal(err)
	}
	return g
}

func TestThreeMembersShareTheShardsAndTakeOverThoseOfADeadOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		groups, stop := c.workAll(orders, h)
		defer stop()
		eventually(t, "all shards are held", func() bool { return h.total() == 12 })
		if n := h.count(); n["n0"] != 4 || n["n1"] != 4 || n["n2"] != 4 {
			t.Errorf("the members hold %v, want 4 each", n)
		}
		ownersMatch(t, groups, h)
		c.kill(c.members[0])
		h.dead("n0")
		took := eventually(t, "all shards are held again", func() bool { return h.total() == 12 })
		if took > testLease+time.Second {
			t.Errorf("after %v, want a lease of %v and a second at most", took, testLease)
		}
		h.check(t)
	})
}

// dead drops what a member that was killed works on.
func (h *holders) dead(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for shard, n := range h.now {
		if n == name {
			delete(h.now, shard)
		}
	}
}

// ownersMatch compares what Owner returns at all members with what really runs.
func ownersMatch(t *testing.T, groups []*Shards, h *holders) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range groups {
		for shard := range 12 {
			if name, token, ok := g.Owner(shard); !ok || name != h.now[shard] || token != h.tokens[shard] {
				t.Errorf("Owner(%d) = %q, %d, %v, want %q, %d", shard, name, token, ok, h.now[shard], h.tokens[shard])
			}
		}
		for _, shard := range []int{-1, 12} {
			if _, _, ok := g.Owner(shard); ok {
				t.Errorf("Owner(%d) is known, want none", shard)
			}
		}
	}
}

func TestAFencedShardGoesOnWithoutWaitingForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		_, stop := c.workAll(Settings{Count: 12, Level: Fenced}, h)
		defer stop()
		eventually(t, "all shards are held", func() bool { return h.total() == 12 })
		c.kill(c.members[0])
		h.dead("n0")
		if took := eventually(t, "all shards are held again", func() bool { return h.total() == 12 }); took > testLease/2 {
			t.Errorf("after %v, want much less than the lease of %v", took, testLease)
		}
		h.check(t)
	})
}

func TestDrainHandsAllShardsOverAndEndsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		h.slow = 20 * time.Millisecond
		groups, stop := c.workAll(orders, h)
		defer stop()
		eventually(t, "all shards are held", func() bool { return h.total() == 12 })
		began := time.Now()
		if err := groups[1].Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("a drain of functions that take 20ms to return took %v", took)
		}
		eventually(t, "all shards are held by the others", func() bool { return h.total() == 12 && h.count()["n1"] == 0 })
		h.check(t)
		if err := groups[1].Drain(t.Context()); err != nil {
			t.Errorf("Drain without Work = %v, want nil", err)
		}
	})
}

func TestTheEndOfWorkLeavesTheShardsToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		_, stop := c.workAll(orders, h)
		defer stop()
		ctx, cancel := context.WithCancel(t.Context())
		extra := newHolders()
		g, ended := c.members[0].openAs("other", Settings{Count: 6}), make(chan error, 1)
		go func() { ended <- g.Work(ctx, extra.work("n0")) }()
		eventually(t, "all shards are held", func() bool { return h.total() == 12 && extra.total() == 6 })
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) || extra.total() != 0 {
			t.Errorf("Work = %v with %d calls running, want context.Canceled and none", err, extra.total())
		}
		next := c.members[1].openAs("other", Settings{Count: 6})
		ctx, cancel = context.WithCancel(t.Context())
		go func() { ended <- next.Work(ctx, extra.work("n1")) }()
		eventually(t, "another member holds the shards", func() bool { return extra.count()["n1"] == 6 })
		cancel()
		<-ended
		extra.check(t)
	})
}

func (m *memoryMember) openAs(name string, s Settings) *Shards {
	g, err := m.shards(name, s)
	if err != nil {
		m.of.t.Fatal(err)
	}
	return g
}

func TestAGroupWithAnotherCountIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 4), newHolders()
		_, stop := c.workOn(c.members[:3], orders, h)
		defer stop()
		eventually(t, "all shards are held", func() bool { return h.total() == 12 })
		if _, err := c.members[0].shards("orders", Settings{Count: 13}); !errors.Is(err, ErrCount) {
			t.Errorf("Shards with another count = %v, want ErrCount", err)
		}
		other := &Shards{parts: c.members[3].parts, group: "orders", settings: Settings{Count: 13}.withDefaults()} // opened when the group was not known
		if err := other.Sync(t.Context()); !errors.Is(err, ErrCount) {
			t.Errorf("Sync with another count = %v, want ErrCount", err)
		}
		if err := other.Work(t.Context(), h.work("n3")); !errors.Is(err, ErrCount) {
			t.Errorf("Work with another count = %v, want ErrCount", err)
		}
		if err := c.members[3].lead(t.Context(), "orders", h.work("n3")); !errors.Is(err, ErrCount) {
			t.Errorf("Lead under the name of a group = %v, want ErrCount", err)
		}
		h.check(t)
	})
}

func TestAFunctionThatDoesNotReturnKeepsItsShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		block := make(chan struct{})
		s := Settings{Count: 3, Handover: time.Second}
		g, ended := c.members[0].open(s), make(chan error, 1)
		go func() {
			ended <- g.Work(t.Context(), func(_ context.Context, hold Hold) error {
				h.begin("n0", hold)
				<-block
				h.end("n0", hold)
				return nil
			})
		}()
		eventually(t, "all shards are held", func() bool { return h.total() == 3 })
		go func() { _ = g.Drain(t.Context()) }()
		other, ctx := c.members[1].open(s), t.Context()
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		wg.Go(func() { _ = other.Work(ctx, h.work("n1")) })
		time.Sleep(time.Minute)
		if g.Stuck() != 3 || h.count()["n0"] != 3 {
			t.Errorf("%d stuck and %v hold, want all 3 at n0", g.Stuck(), h.count())
		}
		close(block)
		if err := <-ended; err != nil {
			t.Errorf("Work after a drain = %v", err)
		}
		eventually(t, "the shards go on", func() bool { return h.count()["n1"] == 3 })
		h.check(t)
		cancel()
		wg.Wait()
	})
}

func TestWithExitAFunctionThatDoesNotReturnEndsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 1)
		g := c.members[0].open(Settings{Count: 2, Handover: time.Second, HandoverThen: Exit})
		block, running := make(chan struct{}), make(chan struct{}, 2)
		defer close(block)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-running
			<-running
			cancel()
		}()
		err := g.Work(ctx, func(ctx context.Context, h Hold) error {
			running <- struct{}{}
			if h.Shard == 0 {
				<-block
			}
			<-ctx.Done()
			return nil
		})
		if !errors.Is(err, ErrStuck) {
			t.Errorf("Work = %v, want ErrStuck", err)
		}
	})
}

func TestAFunctionThatFailsIsCalledAgainForTheSameShardAndToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 1)
		g := c.members[0].open(Settings{Count: 2})
		var mu sync.Mutex
		calls := map[int][]Token{}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := g.Work(ctx, func(_ context.Context, h Hold) error {
			mu.Lock()
			defer mu.Unlock()
			calls[h.Shard] = append(calls[h.Shard], h.Token)
			if h.Shard == 0 {
				panic("no")
			}
			return nil // there is nothing to do
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Work = %v, want the error of its context", err)
		}
		mu.Lock()
		defer mu.Unlock()
		if n := len(calls[0]); n < 4 || n > 6 || calls[0][0] != calls[0][n-1] {
			t.Errorf("a function that panics was called with tokens %v in 20s, want 4 to 6 times the same", calls[0])
		}
		if len(calls[1]) != 1 {
			t.Errorf("a function that returned nil was called %d times, want once", len(calls[1]))
		}
	})
}

func TestOwnerAfterSyncIsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 4), newHolders() // the fourth is not a voter
		groups, stop := c.workAll(orders, h)
		defer stop()
		for _, g := range groups {
			eventually(t, "all shards are held", func() bool { return h.total() == 12 })
			if err := g.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			ownersMatch(t, []*Shards{g}, h)
		}
		c.setCut(c.members[3], true)
		began := time.Now()
		if err := groups[3].Sync(t.Context()); !errors.Is(err, ErrNoLeader) || time.Since(began) > maxWait {
			t.Errorf("Sync without a leader = %v after %v, want ErrNoLeader within %v", err, time.Since(began), maxWait)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := groups[3].Sync(ctx); !errors.Is(err, ErrNoLeader) || time.Since(began) > maxWait+time.Second {
			t.Errorf("Sync with a deadline = %v, want ErrNoLeader", err)
		}
	})
}

func TestOwnerAndOfAllocateNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 1), newHolders()
		groups, stop := c.workAll(orders, h)
		defer stop()
		eventually(t, "all shards are held", func() bool { return h.total() == 12 })
		g := groups[0]
		if n := testing.AllocsPerRun(100, func() { g.Owner(g.Of("customer-42")) }); n != 0 {
			t.Errorf("%v allocations, want none", n)
		}
		if name, _, ok := c.members[0].openAs("none", orders).Owner(0); ok || name != "" {
			t.Errorf("Owner in a group that does not exist = %q", name)
		}
	})
}

func TestOfDividesByTheHashOfTheSettings(t *testing.T) {
	p := &parts{engine: &memoryMember{of: &memoryQuorum{}}, declared: &sync.Map{}}
	fnv, err := p.shards("a", Settings{Count: 271})
	java, err2 := p.shards("a", Settings{Count: 271, Hash: Java})
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if fnv.Of("customer-42") != Of("customer-42", 271) || java.Of("customer-42") != OfJava("customer-42", 271) {
		t.Errorf("Of = %d and %d", fnv.Of("customer-42"), java.Of("customer-42"))
	}
}

func TestSettingsOutOfBoundsAreRefusedAllAtOnce(t *testing.T) {
	p := &parts{engine: &memoryMember{of: &memoryQuorum{}}}
	_, err := p.shards("a", Settings{Count: 65537, Level: 2, Copies: 8, Weight: -1, Handover: 2 * time.Hour, HandoverThen: 2, Hash: 2, Return: -1})
	if err == nil {
		t.Fatal("no error")
	}
	want := `quorum: shards "a": count 65537: want 1 to 65536
level 2: want Exclusive or Fenced; a guess without a quorum is Prefer
copies 8: want 1 to 7
weight -1: want 1 to 1048576
handover 2h0m0s: want 1ms to 1h
return -1ns: want 0 to 1h0m0s
handover_then 2: want Wait or Exit
hash 2: want FNV or Java`
	if err.Error() != want {
		t.Errorf("error:\n%v\nwant:\n%s", err, want)
	}
	if _, err := p.shards("", Settings{Count: 1}); err == nil {
		t.Error("a group without a name is no error")
	}
}

func TestAStandbyPreparesAndIsThenTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		s := Settings{Count: 6, Copies: 2}
		var mu sync.Mutex
		preparing, prepared, unprepared, killed := map[string]int{}, map[string]bool{}, 0, false
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, m := range c.members {
			g := m.open(s)
			ready := WithReady(func(ctx context.Context, shard int) error {
				mu.Lock()
				preparing[m.name]++
				mu.Unlock()
				<-ctx.Done()
				time.Sleep(10 * time.Millisecond) // the call of fn waits for this
				mu.Lock()
				defer mu.Unlock()
				preparing[m.name]--
				prepared[fmt.Sprint(m.name, shard)] = true
				return ctx.Err()
			})
			wg.Go(func() {
				_ = g.Work(ctx, func(ctx context.Context, hold Hold) error {
					mu.Lock()
					if m.name != "n0" && killed && !prepared[fmt.Sprint(m.name, hold.Shard)] {
						unprepared++
					}
					mu.Unlock()
					return h.work(m.name)(ctx, hold)
				}, ready)
			})
		}
		count := func() int {
			mu.Lock()
			defer mu.Unlock()
			return preparing["n0"] + preparing["n1"] + preparing["n2"]
		}
		eventually(t, "all shards are held, with a standby each", func() bool { return h.total() == 6 && count() == 6 })
		mu.Lock()
		preparing["n0"], killed = 0, true
		mu.Unlock()
		c.kill(c.members[0])
		h.dead("n0")
		eventually(t, "all shards are held again", func() bool { return h.total() == 6 })
		cancel()
		wg.Wait()
		mu.Lock()
		defer mu.Unlock()
		if unprepared > 0 {
			t.Errorf("%d shards went to members that had not prepared", unprepared)
		}
		h.check(t)
	})
}

// idleEngine is an engine that decides nothing: the test calls the worker in its place.
type idleEngine struct{ engine }

func (idleEngine) post(core.Input) error          { return nil }
func (idleEngine) register(string, receiver) bool { return true }
func (idleEngine) unregister(string)              {}
func (idleEngine) leaseLeft(uint64) time.Duration { return time.Hour }
func (idleEngine) done() <-chan struct{}          { return nil }

func TestAMemberThatLostAShardPreparesForItWhenItsCallHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		finish, preparing := make(chan struct{}), make(chan int, 1)
		p := &parts{engine: idleEngine{}, log: hclog.NewNullLogger(), lease: time.Minute}
		w := p.newWorker(core.GroupSettings{Name: "orders"}, Settings{}, func(ctx context.Context, _ Hold) error {
			<-ctx.Done()
			<-finish
			return nil
		})
		w.ready = func(_ context.Context, shard int) error { preparing <- shard; return nil }
		var wg sync.WaitGroup
		wg.Go(func() { _ = w.work(ctx) })
		w.start(0, 1, 1)
		w.stop(0, 1, true)
		w.standby(0, true)
		synctest.Wait()
		if len(preparing) > 0 {
			t.Error("it prepares while the call still runs")
		}
		close(finish)
		synctest.Wait()
		if len(preparing) != 1 {
			t.Error("it does not prepare once the call has returned")
		}
		cancel()
		wg.Wait()
	})
}

func TestAPanicOfAFunctionThatPreparesEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for _, m := range c.members {
			g := m.open(Settings{Count: 6, Copies: 3})
			wg.Go(func() {
				_ = g.Work(ctx, h.work(m.name), WithReady(func(context.Context, int) error { panic("no") }))
			})
		}
		eventually(t, "all shards are held", func() bool { return h.total() == 6 })
		cancel()
		wg.Wait()
		h.check(t)
	})
}

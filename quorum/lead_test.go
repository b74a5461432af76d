package quorum

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// leaders is who leads now, and what happened.
type leaders struct {
	mu      sync.Mutex
	now     []string
	tokens  []Token
	history []string
	overlap bool
	causes  []error
}

// lead returns a function that leads until its context ends.
func (l *leaders) lead(name string) func(context.Context, Hold) error {
	return func(ctx context.Context, h Hold) error {
		l.begin(name, h)
		<-ctx.Done()
		l.end(name, context.Cause(ctx))
		return ctx.Err()
	}
}

func (l *leaders) begin(name string, h Hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.overlap = l.overlap || len(l.now) > 0 || len(l.tokens) > 0 && h.Token <= l.tokens[len(l.tokens)-1]
	l.now, l.history, l.tokens = append(l.now, name), append(l.history, name), append(l.tokens, h.Token)
}

func (l *leaders) end(name string, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = slices.DeleteFunc(l.now, func(n string) bool { return n == name })
	l.causes = append(l.causes, cause)
}

// current returns the one leader, "" if there is none.
func (l *leaders) current() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.now) != 1 {
		return ""
	}
	return l.now[0]
}

// led is what happened so far.
type led struct {
	history []string
	overlap bool // two led at once, or a token did not grow
	causes  []error
}

func (l *leaders) record() led {
	l.mu.Lock()
	defer l.mu.Unlock()
	return led{slices.Clone(l.history), l.overlap, slices.Clone(l.causes)}
}

// eventually waits for a condition in virtual time and fails the test after a minute.
func eventually(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
		synctest.Wait()
	}
	return time.Since(began)
}

func (c *memoryQuorum) member(name string) *memoryMember {
	i := slices.IndexFunc(c.members, func(m *memoryMember) bool { return m.name == name })
	return c.members[i]
}

// standAll has all members stand for election. The returned function ends that and waits.
func (c *memoryQuorum) standAll(ctx context.Context, l *leaders) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, m := range c.members {
		wg.Go(func() {
			if err := m.lead(ctx, "billing", l.lead(m.name)); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStopped) {
				c.t.Errorf("lead at %s returned %v", m.name, err)
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func TestOneOfThreeLeadsAndAfterItsDeathAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newMemoryQuorum(t, 3), &leaders{}
		defer c.standAll(t.Context(), l)()
		eventually(t, "a leader", func() bool { return l.current() != "" })
		first := l.current()
		c.kill(c.member(first))
		took := eventually(t, "another leader", func() bool { return l.current() != "" && l.current() != first })
		if took > testLease+time.Second {
			t.Errorf("the next leader began after %v, want a lease of %v and a second at most", took, testLease)
		}
		if l.record().overlap {
			t.Error("two led at once, or a token did not grow")
		}
	})
}

func TestALeaderThatIsCutOffStopsBeforeTheNextOneBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newMemoryQuorum(t, 3), &leaders{}
		defer c.standAll(t.Context(), l)()
		eventually(t, "a leader", func() bool { return l.current() != "" })
		first := c.member(l.current())
		c.setCut(first, true)
		took := eventually(t, "the end of its context", func() bool { return len(l.record().causes) > 0 })
		if cause := l.record().causes[0]; took > testLease || !errors.Is(cause, ErrLost) {
			t.Errorf("the context ended after %v because of %v, want ErrLost within the lease of %v", took, cause, testLease)
		}
		eventually(t, "another leader", func() bool { return l.current() != "" })
		c.setCut(first, false)
		time.Sleep(10 * time.Second)
		if r := l.record(); r.overlap || len(r.history) != 2 {
			t.Errorf("leaders %v, overlap %v; want two, one after the other", r.history, r.overlap)
		}
	})
}

func TestAHoldIsNotValidAfterItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 3)
		m := c.members[0]
		var held Hold
		returned := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = m.lead(ctx, "billing", func(ctx context.Context, h Hold) error {
				held = h
				if err := h.Valid(); err != nil {
					t.Errorf("Valid while it leads = %v", err)
				}
				c.setCut(m, true)
				<-ctx.Done()
				if err := h.Valid(); err != nil {
					t.Errorf("Valid when the context ends = %v; the lease should not be over yet", err)
				}
				time.Sleep(testLease / 5) // it does not heed its context
				if err := h.Valid(); !errors.Is(err, ErrLost) {
					t.Errorf("Valid after the lease = %v, want ErrLost", err)
				}
				close(returned)
				return nil
			})
		})
		<-returned
		cancel()
		wg.Wait()
		if err := held.Valid(); !errors.Is(err, ErrLost) {
			t.Errorf("Valid after the function has returned = %v, want ErrLost", err)
		}
		if err := (Hold{}).Valid(); !errors.Is(err, ErrLost) {
			t.Errorf("Valid of no hold = %v, want ErrLost", err)
		}
	})
}

func TestALeaderThatReturnsNilDoesNotComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newMemoryQuorum(t, 1), &leaders{}
		if err := c.members[0].lead(t.Context(), "billing", func(_ context.Context, h Hold) error {
			l.begin("n0", h)
			return nil
		}); err != nil || len(l.record().history) != 1 {
			t.Errorf("Lead = %v after %d calls, want nil after one", err, len(l.record().history))
		}
		time.Sleep(time.Minute)
		if table, _ := c.members[0].newest(); table.Group("billing").Shard(0).Session != 0 {
			t.Error("the leadership of a function that has returned is not free")
		}
	})
}

func TestALeaderThatFailsLetsAnotherLeadAndStandsAgainAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newMemoryQuorum(t, 3), &leaders{}
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		for _, m := range c.members {
			wg.Go(func() {
				_ = m.lead(ctx, "billing", func(_ context.Context, h Hold) error {
					l.begin(m.name, h)
					defer l.end(m.name, nil)
					if m.name == "n1" {
						panic("n1 cannot")
					}
					return errors.New("not now")
				})
			})
		}
		time.Sleep(700 * time.Millisecond)
		first := l.record().history
		slices.Sort(first)
		if !slices.Equal(first, []string{"n0", "n1", "n2"}) {
			t.Errorf("within the first pause %v led, want each once", first)
		}
		time.Sleep(5 * time.Minute)
		r := l.record()
		if n := len(r.history); n < 15 || n > 60 || r.overlap {
			t.Errorf("%d attempts of three in 5 minutes (overlap %v), want 15 to 60: pauses double up to a minute", n, r.overlap)
		}
		cancel()
		wg.Wait()
	})
}

func TestAProcessStandsOnceForOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newMemoryQuorum(t, 1), &leaders{}
		defer c.standAll(t.Context(), l)()
		eventually(t, "a leader", func() bool { return l.current() != "" })
		if err := c.members[0].lead(t.Context(), "billing", l.lead("second")); !errors.Is(err, ErrWorking) {
			t.Errorf("a second Lead = %v, want ErrWorking", err)
		}
		if err := c.members[0].lead(t.Context(), "", l.lead("n0")); err == nil {
			t.Error("Lead without a name is no error")
		}
	})
}

func TestTheEndOfTheQuorumEndsLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := newMemoryQuorum(t, 1), &leaders{}
		ended := make(chan error, 1)
		go func() { ended <- c.members[0].lead(t.Context(), "billing", l.lead("n0")) }()
		eventually(t, "a leader", func() bool { return l.current() != "" })
		c.kill(c.members[0])
		if err := <-ended; !errors.Is(err, ErrStopped) || l.current() != "" {
			t.Errorf("Lead = %v with %q leading, want ErrStopped and none", err, l.current())
		}
		if err := c.members[0].lead(t.Context(), "billing", l.lead("n0")); !errors.Is(err, ErrStopped) {
			t.Errorf("Lead after the end = %v, want ErrStopped", err)
		}
	})
}

func TestLeadRefusesTheNameOfAGroupOfItsProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newMemoryQuorum(t, 1).members[0].parts
		orders, err := p.shards("orders", Settings{Count: 12})
		if err != nil {
			t.Fatal(err)
		}
		err = p.lead(t.Context(), "orders", func(context.Context, Hold) error { return nil })
		if !errors.Is(err, ErrCount) {
			t.Errorf("Lead under the name of a group = %v, want ErrCount", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := orders.Work(ctx, func(context.Context, Hold) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the group cannot be worked on any more: %v", err)
		}
	})
}

package quorum

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// assigned is what a watch of a group shows of this member.
type assigned struct {
	mu      sync.Mutex
	held    map[int]Token
	changes int
	last    Assignment
	errs    []string
}

func (a *assigned) follow(ctx context.Context, g *Shards) {
	for c := range g.Watch(ctx) {
		a.mu.Lock()
		a.changes++
		a.last = c.Table
		for _, shard := range c.Revoked {
			if _, ok := a.held[shard]; !ok {
				a.errs = append(a.errs, "a shard is revoked that was not assigned")
			}
			delete(a.held, shard)
		}
		for _, shard := range c.Assigned {
			if _, ok := a.held[shard]; ok {
				a.errs = append(a.errs, "a shard is assigned again that was not revoked")
			}
			a.held[shard] = c.Table.Owner(shard).Token
		}
		a.mu.Unlock()
	}
}

// counts returns how many shards the member holds and how many changes were shown.
func (a *assigned) counts() (held, changes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.held), a.changes
}

// lastMatches compares the last assignment with what really runs.
func (a *assigned) lastMatches(t *testing.T, h *holders) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	for o := range a.last.All() {
		if o.Name != h.now[o.Shard] || o.Token != h.tokens[o.Shard] {
			t.Errorf("the last assignment shows %+v, want %s with %d", o, h.now[o.Shard], h.tokens[o.Shard])
		}
	}
}

// matches reports whether what was assigned is what the member works on.
func (a *assigned) matches(name string, h *holders) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for shard, holder := range h.now {
		if holder == name {
			n++
			if a.held[shard] != h.tokens[shard] {
				return false
			}
		}
	}
	return n == len(a.held)
}

func TestAWatchOfAGroupShowsWhatIsAssignedAndRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, h := newMemoryQuorum(t, 3), newHolders()
		a := &assigned{held: map[int]Token{}}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		reader := c.members[0].open(orders)
		if n := reader.Assignment().Len(); n != 0 {
			t.Errorf("a group that does not exist has %d shards", n)
		}
		wg.Go(func() { a.follow(ctx, reader) })
		_, stop := c.workOn(c.members[:2], orders, h)
		eventually(t, "all shards are held and shown", func() bool { return h.total() == 12 && a.matches("n0", h) })
		groups, stopThird := c.workOn(c.members[2:], orders, h)
		eventually(t, "the third one has a part", func() bool { return h.count()["n2"] > 0 && h.total() == 12 && a.matches("n0", h) })
		ownersMatch(t, append(groups, reader), h)
		a.lastMatches(t, h)
		stop()
		eventually(t, "it holds nothing", func() bool { held, _ := a.counts(); return held == 0 })
		_, before := a.counts()
		time.Sleep(time.Minute)
		if _, changes := a.counts(); changes > before+10 {
			t.Errorf("%d changes in a minute in which nothing happened to its shards", changes-before)
		}
		stopThird()
		cancel()
		wg.Wait()
		for _, err := range a.errs {
			t.Error(err)
		}
		h.check(t)
	})
}

func TestAWatchEndsWithTheQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newMemoryQuorum(t, 1)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for range c.members[0].open(orders).Watch(t.Context()) {
			}
			for range (&Map{c.members[0].parts}).Watch(t.Context(), "") {
			}
		}()
		time.Sleep(time.Second)
		c.kill(c.members[0])
		<-ended
		for range c.members[0].open(orders).Watch(t.Context()) {
			break
		}
	})
}

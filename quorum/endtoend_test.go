package quorum

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/gossip"
)

// others returns names without one of them.
func others(names []string, without string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == without })
}

func TestRealMembersElectALeaderAndAnotherAfterItsCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c"}
		q, l := startQuorum(t, nil, names...), &leaders{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		for _, name := range names {
			wg.Go(func() {
				err := q.all[name].Lead(ctx, "billing", l.lead(name))
				if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrStopped) {
					t.Errorf("Lead at %s = %v", name, err)
				}
			})
		}
		q.Wait("a leader", func() bool { return l.current() != "" })
		first := l.current()
		q.Crash(first)
		q.all[first].Stop()
		began := time.Now()
		q.Wait("another leader", func() bool { return l.current() != "" && l.current() != first })
		if took := time.Since(began); took > defaultLease+time.Second {
			t.Errorf("the next leader began after %v, want a lease of %v and a second at most", took, defaultLease)
		}
		if l.record().overlap {
			t.Error("two led at once, or a token did not grow")
		}
	})
}

func TestALeaderThatIsIsolatedStopsBeforeTheNextOneOfRealMembersBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c"}
		q, l := startQuorum(t, nil, names...), &leaders{}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		for _, name := range names {
			wg.Go(func() { _ = q.all[name].Lead(ctx, "billing", l.lead(name)) })
		}
		q.Wait("a leader", func() bool { return l.current() != "" })
		first := l.current()
		q.Isolate(first)
		q.Wait("another leader", func() bool { return slices.Contains(others(names, first), l.current()) })
		q.Heal()
		time.Sleep(time.Minute)
		if r := l.record(); r.overlap || len(r.causes) == 0 || !errors.Is(r.causes[0], ErrLost) {
			t.Errorf("leaders %v, overlap %v, causes %v; want ErrLost and one after the other", r.history, r.overlap, r.causes)
		}
	})
}

func TestRealMembersShareShardsAndGiveThemUpWhenTheyLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c", "d"}
		q, h := startQuorum(t, nil, names[:3]...), newHolders()
		q.add(q.StartNode(gossip.Config{Name: "d"}), nil)
		q.awaitLeader(names...)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		groups := map[string]*Shards{}
		for _, name := range names {
			g, err := q.all[name].Shards("orders", orders)
			if err != nil {
				t.Fatal(err)
			}
			groups[name] = g
			wg.Go(func() { _ = g.Work(ctx, h.work(name)) })
		}
		q.Wait("all shards are held", func() bool { return h.total() == 12 })
		time.Sleep(20 * time.Second) // from when on d can take the place of a voter
		leaves := q.status("a").Leader
		if err := q.all[leaves].Leave(t.Context()); err != nil {
			t.Errorf("Leave = %v", err)
		}
		if n := h.count()[leaves]; n != 0 {
			t.Errorf("%s still works on %d shards after Leave", leaves, n)
		}
		q.Wait("the others hold all shards", func() bool { return h.total() == 12 })
		h.check(t)
		var rest []*Shards
		for _, name := range others(names, leaves) {
			if err := groups[name].Sync(t.Context()); err != nil {
				t.Errorf("Sync at %s = %v", name, err)
			}
			rest = append(rest, groups[name])
		}
		ownersMatch(t, rest, h)
	})
}

func TestUpdatesOfRealMembersAreNotLostWhenTheLeaderCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b", "c", "d"}
		q := startQuorum(t, nil, names[:3]...)
		q.add(q.StartNode(gossip.Config{Name: "d"}), nil)
		q.awaitLeader(names...)
		ctx, cancel := context.WithCancel(t.Context())
		w := &watched{has: map[string]string{}}
		var watch, updates sync.WaitGroup
		watch.Go(func() { w.follow(ctx, q.all["d"].Map(), "count") })
		var mu sync.Mutex
		done, unknown := 0, 0
		for _, name := range names {
			updates.Go(func() {
				for range 50 {
					_, err := q.all[name].Map().Update(t.Context(), "count", increment)
					mu.Lock()
					switch {
					case err == nil:
						done++
					case errors.Is(err, ErrUnknown):
						unknown++
					case !errors.Is(err, ErrStopped):
						t.Errorf("Update at %s = %v", name, err)
					}
					mu.Unlock()
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		leader := q.status("a").Leader
		q.Crash(leader)
		q.all[leader].Stop()
		updates.Wait()
		last := others(names, leader)[0]
		e, err := q.all[last].Map().Get(t.Context(), "count")
		if n, _ := strconv.Atoi(e.Value); err != nil || n < done || n > done+unknown || done < 150 {
			t.Errorf("the count is %q, %v after %d increments and %d of unknown outcome", e.Value, err, done, unknown)
		}
		if leader != "d" {
			q.Wait("the watch shows it", func() bool { return w.is(map[string]string{"count": e.Value}) })
		}
		cancel()
		watch.Wait()
	})
}

func increment(old string, _ bool) (string, bool, error) {
	n, _ := strconv.Atoi(old)
	return strconv.Itoa(n + 1), true, nil
}

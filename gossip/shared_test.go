package gossip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// formed starts nodes that see each other.
func formed(t *testing.T, names ...string) (*transport.Memory, []*Node) {
	t.Helper()
	net := transport.NewMemory()
	net.Delay(time.Millisecond)
	nodes := cluster(t, net, names...)
	settle(2 * time.Second)
	wantUp(t, nodes, strings.Join(names, " "))
	return net, nodes
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// within is a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestASharedKeyReachesAllAndSyncWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c", "d")
		must(t, nodes[1].Shared().Set(t.Context(), "color", "red"))
		must(t, nodes[1].Shared().Sync(within(t, 5*time.Second)))
		for _, n := range nodes {
			if v, ok := n.Shared().Get("color"); v != "red" || !ok {
				t.Errorf("%s: %q, %v", n.config.Name, v, ok)
			}
		}
		must(t, nodes[3].Shared().Delete(t.Context(), "color"))
		must(t, nodes[3].Shared().Sync(within(t, 5*time.Second)))
		if v, ok := nodes[0].Shared().Get("color"); ok {
			t.Errorf("after its delete: %q", v)
		}
	})
}

func TestSyncNamesWhoHasNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, nodes := formed(t, "a", "b", "c")
		net.Cut(func(from, to string) bool { return from == "c" || to == "c" })
		must(t, nodes[0].Shared().Set(t.Context(), "k", "v"))
		err := nodes[0].Shared().Sync(within(t, time.Second)) // c is up yet
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not known to have it all: c:") {
			t.Errorf("Sync = %v, want c named", err)
		}
		settle(10 * time.Second) // c is down now, and gets it when it is back
		must(t, nodes[0].Shared().Sync(within(t, time.Second)))
	})
}

func TestUpdatesOfOneNodeLoseNoneOfEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		var tasks sync.WaitGroup
		for range 20 {
			tasks.Go(func() {
				for range 50 {
					err := nodes[0].Shared().Update(t.Context(), "n", func(old string, _ bool) (string, bool, error) {
						i, _ := strconv.Atoi(old) // "" is 0
						return strconv.Itoa(i + 1), true, nil
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		tasks.Wait()
		must(t, nodes[0].Shared().Sync(within(t, time.Second)))
		if v, _ := nodes[1].Shared().Get("n"); v != "1000" {
			t.Errorf("n = %s, want 1000", v)
		}
	})
}

func TestAnUpdateMayDeleteOrChangeItsMind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a")
		s := nodes[0].Shared()
		must(t, s.Set(t.Context(), "k", "v"))
		no := errors.New("no")
		if err := s.Update(t.Context(), "k", func(string, bool) (string, bool, error) { return "x", true, no }); !errors.Is(err, no) {
			t.Errorf("Update = %v, want the function's error", err)
		}
		if v, _ := s.Get("k"); v != "v" {
			t.Errorf("k = %q after an update that was given up", v)
		}
		must(t, s.Update(t.Context(), "k", func(old string, ok bool) (string, bool, error) { return "", old != "v" || !ok, nil }))
		if v, ok := s.Get("k"); ok {
			t.Errorf("k = %q after its delete", v)
		}
	})
}

func TestATTLIsOverForWatchersToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b")
		var mu sync.Mutex
		var reported []SharedChange
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		must(t, nodes[0].Shared().Set(t.Context(), "job/1", "first"))
		settle(time.Second)
		go func() {
			defer close(done)
			for c := range nodes[1].Shared().Watch(ctx, "job/") {
				mu.Lock()
				reported = append(reported, c)
				mu.Unlock()
			}
		}()
		settle(time.Second)
		must(t, nodes[0].Shared().Set(t.Context(), "job/2", "second", TTL(10*time.Second)))
		must(t, nodes[0].Shared().Set(t.Context(), "other", "x"))
		settle(20 * time.Second)
		cancel()
		<-done
		want := []SharedChange{{Key: "job/1", Value: "first"}, {Key: "job/2", Value: "second"}, {Key: "job/2", Gone: true}}
		if diff := cmp.Diff(want, reported); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAgreementReportsWhichMembersDifferAndWhichAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, nodes := formed(t, "a", "b", "c", "d")
		a, err := nodes[0].Agreement(within(t, 5*time.Second))
		must(t, err)
		if diff := cmp.Diff(Agreement{Same: []string{"a", "b", "c", "d"}}, a); diff != "" {
			t.Errorf("at rest (-want +got):\n%s", diff)
		}
		net.Cut(func(from, to string) bool { return from+to == "ad" || from+to == "da" }) // d is up through the others
		a, err = nodes[0].Agreement(within(t, 2*time.Second))
		must(t, err)
		if !slices.Equal(a.Silent, []string{"d"}) || len(a.Same) != 3 {
			t.Errorf("d cannot be reached: %+v", a)
		}
	})
}

func TestAnOwnKeyWithATTLEndsAndWatchersOfItsPrefixSeeThat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c")
		var mu sync.Mutex
		var reported []KeyChange
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for c := range nodes[2].WatchKeys(ctx, "a", "job/") {
				mu.Lock()
				reported = append(reported, c)
				mu.Unlock()
			}
		}()
		must(t, nodes[0].Set(t.Context(), "job/1", "x", TTL(10*time.Second)))
		must(t, nodes[0].Set(t.Context(), "job/2", "y", TTL(10*time.Second)))
		must(t, nodes[0].Set(t.Context(), "job/2", "stays")) // a write without a time to live
		must(t, nodes[0].Set(t.Context(), "other", "x"))
		must(t, nodes[1].Set(t.Context(), "job/1", "of b"))
		settle(9 * time.Second)
		if v, _ := nodes[1].Get("a", "job/1"); v != "x" {
			t.Errorf("after 9 s: %q", v)
		}
		settle(5 * time.Second)
		cancel()
		<-done
		want := []KeyChange{{Member: "a", Key: "job/1", Value: "x"}, {Member: "a", Key: "job/2", Value: "stays"}, {Member: "a", Key: "job/1", Gone: true}}
		if diff := cmp.Diff(want, reported); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := nodes[0].Set(t.Context(), "k", "v", TTL(0)); err == nil {
			t.Error("a time to live of 0 is taken")
		}
	})
}

func TestWritesOfAClockFarAheadAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, nodes := formed(t, "a", "b", "c")
		var fast []*Node // two of them, so that what they write is nowhere written alone
		for _, name := range []string{"fast", "faster"} {
			n, err := Start(Config{Name: name, ClusterID: "test", Listen: name + ":7946", Transport: net.Host(name),
				clock: func() time.Time { return time.Now().Add(time.Hour) }})
			must(t, err)
			defer n.Stop()
			fast = append(fast, n)
		}
		must(t, fast[0].Join(t.Context(), "faster:7946"))
		settle(time.Second)
		must(t, fast[0].Shared().Set(t.Context(), "k", "v")) // the two cannot know better
		must(t, fast[0].Shared().Sync(within(t, 5*time.Second)))
		must(t, fast[0].Join(t.Context(), "a:7946"))
		settle(10 * time.Second)
		if err := fast[0].Shared().Set(t.Context(), "k", "v"); !errors.Is(err, ErrClockAhead) {
			t.Errorf("set: %v", err)
		}
		if err := fast[0].Shared().Delete(t.Context(), "k"); !errors.Is(err, ErrClockAhead) {
			t.Errorf("delete: %v", err)
		}
		if err := fast[0].Remove(t.Context(), "b"); !errors.Is(err, ErrClockAhead) {
			t.Errorf("remove: %v", err)
		}
		wantUp(t, nodes, "a b c fast faster")
		for _, n := range nodes {
			if _, ok := n.Shared().Get("k"); ok {
				t.Errorf("%s has taken it", n.config.Name)
			}
		}
	})
}

func TestStalenessGrowsWhileNeighboursDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a", "b", "c")
		settle(10 * time.Second)
		if d := nodes[0].Staleness(); d > 2*time.Second {
			t.Errorf("at rest: %v", d)
		}
		alone := start(t, transport.NewMemory(), "x")
		if d := alone.Staleness(); d != 0 {
			t.Errorf("alone: %v", d)
		}
	})
}

func TestARemovedNodeReturnsWhyItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, nodes := formed(t, "a", "b", "c")
		must(t, nodes[0].Remove(t.Context(), "c"))
		settle(time.Second)
		if err := nodes[2].Err(); !errors.Is(err, ErrRemoved) {
			t.Errorf("the removed node ended with %v", err)
		}
		wantUp(t, nodes[:2], "a b")
		wantRemoved := func(want ...string) {
			t.Helper()
			for _, n := range nodes[:2] {
				if got := n.Removed(); !slices.Equal(got, want) {
					t.Errorf("%s: Removed() = %v, want %v", n.Name(), got, want)
				}
			}
		}
		wantRemoved("c")
		nodes[2].Stop()
		again, err := Start(Config{Name: "c", ClusterID: "test", Listen: "c:7946", Transport: net.Host("c")})
		must(t, err)
		if err := again.Join(t.Context(), "a:7946"); err != nil && !errors.Is(err, ErrRemoved) {
			t.Errorf("join of a removed node: %v", err)
		}
		settle(time.Second)
		if err := again.Err(); !errors.Is(err, ErrRemoved) {
			t.Errorf("back without Rejoin: %v", err)
		}
		again.Stop()
		back, err := Start(Config{Name: "c", ClusterID: "test", Listen: "c:7946", Transport: net.Host("c"), Rejoin: true})
		must(t, err)
		defer back.Stop()
		must(t, back.Join(t.Context(), "a:7946"))
		settle(2 * time.Second)
		wantUp(t, []*Node{nodes[0], nodes[1], back}, "a b c")
		wantRemoved()
		if err := nodes[0].Remove(t.Context(), "unknown"); !errors.Is(err, ErrUnknownMember) {
			t.Errorf("removal of an unknown member: %v", err)
		}
		if err := nodes[0].Remove(t.Context(), "a"); err == nil {
			t.Error("a node removed itself")
		}
	})
}

func TestSharedLimitsAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, nodes := formed(t, "a")
		s := nodes[0].Shared()
		for name, err := range map[string]error{
			"no key":      s.Set(t.Context(), "", "v"),
			"a long key":  s.Set(t.Context(), strings.Repeat("k", 257), "v"),
			"a big value": s.Set(t.Context(), "k", strings.Repeat("v", 1<<16+1)),
		} {
			if err == nil {
				t.Errorf("%s is taken", name)
			}
		}
		var full error
		for i := 0; full == nil && i < 200; i++ {
			full = s.Set(t.Context(), fmt.Sprint(i), strings.Repeat("v", 1<<16))
		}
		if full == nil || !strings.Contains(full.Error(), "the shared map would have") {
			t.Errorf("8 MiB and more: %v", full)
		}
		if v, ok := s.Get("0"); len(v) != 1<<16 || !ok {
			t.Error("what was there is cut or gone")
		}
	})
}

func TestRaisedLimitsCarryTheLargestKeysAndValues(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		net, nodes := formed(t, "a", "b")
		tuning := DefaultTuning()
		tuning.Limits.Key, tuning.Limits.Value = core.MaxKey, core.MaxValue
		config := Config{Name: "c", ClusterID: "test", Listen: "c:7946", Transport: net.Host("c"), Tuning: &tuning, DataDir: dir}
		c, err := Start(config)
		must(t, err)
		must(t, c.Join(t.Context(), "a:7946"))
		settle(2 * time.Second)
		key, value := strings.Repeat("k", core.MaxKey), strings.Repeat("v", core.MaxValue)
		must(t, c.Shared().Set(t.Context(), key, value))
		must(t, c.Set(t.Context(), key, value))
		settle(time.Second)
		c.Stop()
		c, err = Start(config)
		must(t, err)
		defer c.Stop()
		settle(2 * time.Second)
		for _, n := range append(nodes, c) {
			if v, _ := n.Shared().Get(key); v != value {
				t.Errorf("%s has %d bytes of the shared value", n.config.Name, len(v))
			}
			if v, _ := n.Get("c", key); v != value {
				t.Errorf("%s has %d bytes of c's own", n.config.Name, len(v))
			}
		}
		tuning.Limits.Value++
		if _, err := Start(Config{Name: "d", ClusterID: "test", Listen: "d:7946", Transport: net.Host("d"), Tuning: &tuning}); err == nil {
			t.Error("a limit beyond what a frame carries is taken")
		}
	})
}

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// peersOf returns peers of these hosts at port 1.
func peersOf(hosts ...string) []peer.Peer {
	var all []peer.Peer
	for _, h := range hosts {
		all = append(all, peer.Peer{Addr: h + ":1"})
	}
	return all
}

// follow follows a function until it returns and then for a while, and returns what was yielded, one line each.
func follow(t *testing.T, run strategy.Func) []string {
	t.Helper()
	var lines []string
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		kind := strategy.Kind[struct{}]{Name: "script", New: func(struct{}, strategy.Env) (strategy.Strategy, error) {
			return strategy.Func(func(running context.Context, out strategy.Sink) error {
				if err := run(running, out); err != nil || running.Err() != nil {
					return err
				}
				synctest.Wait()
				cancel()
				<-running.Done()
				return running.Err()
			}), nil
		}}
		c, err := kind.Configure(struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		for peers, err := range cluster.Follow(ctx, c, strategy.Env{}) {
			lines = append(lines, strings.TrimSpace(fmt.Sprint(strings.Join(strategytest.Addrs(peers), " "), " ", err)))
		}
	})
	return lines
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("yielded:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFollowYieldsEachChangeOnceAndKeepsWhatAFailureDoesNotName(t *testing.T) {
	wantLines(t, follow(t, func(_ context.Context, out strategy.Sink) error {
		for _, report := range []func(){
			func() { out.Fail(errors.New("no route")) },
			func() { out.Set(peersOf("b", "a")) },
			func() { out.Set(peersOf("a", "b")) }, // the same
			func() { out.Fail(errors.New("refused")) },
			func() { out.Add(peersOf("c")) },
			func() { out.Fail(errors.New("refused")) },
			func() { out.Set(peersOf("c")) },
			func() { out.Add(peersOf("d")) },
		} {
			report()
			time.Sleep(time.Second)
		}
		return nil
	}),
		"no route", "a:1 b:1 <nil>", "a:1 b:1 refused", "a:1 b:1 c:1 refused", "c:1 <nil>", "c:1 d:1 the answer is incomplete")
}

func TestFollowRestartsAStrategyThatReturnsAndKeepsItsPeers(t *testing.T) {
	runs := 0
	wantLines(t, follow(t, func(_ context.Context, out strategy.Sink) error {
		switch runs++; runs {
		case 1:
			out.Set(peersOf("a"))
			time.Sleep(time.Second)
			return errors.New("boom")
		case 2:
			panic("bang")
		}
		out.Set(peersOf("a", "b"))
		return nil
	}),
		"a:1 <nil>", "a:1 strategy script crashed: boom", "a:1 strategy script crashed: panic: bang", "a:1 b:1 <nil>")
}

func TestFollowEndsAfterAPermanentErrorWhichComesLast(t *testing.T) {
	wantLines(t, follow(t, func(context.Context, strategy.Sink) error {
		return strategy.Permanent(errors.New("no multicast here"))
	}), "strategy script crashed: no multicast here")
}

func TestFollowHoldsASuddenlyEmptyAnswerBackUntilItIsRepeated(t *testing.T) {
	wantLines(t, follow(t, func(_ context.Context, out strategy.Sink) error {
		out.Set(peersOf("a"))
		for range 3 {
			time.Sleep(5 * time.Second)
			out.Set(nil)
		}
		out.Fail(errors.New("refused")) // the count starts again
		for range 4 {
			time.Sleep(12 * time.Second)
			out.Set(nil)
		}
		time.Sleep(time.Second)
		return nil
	}), "a:1 <nil>", "a:1 refused", "<nil>")
}

func TestFollowDropsAPeerThatIncompleteAnswersDoNotNameForTenMinutes(t *testing.T) {
	got := follow(t, func(_ context.Context, out strategy.Sink) error {
		out.Add(peersOf("a", "b"))
		for range 12 {
			time.Sleep(time.Minute)
			out.Add(peersOf("b"))
		}
		time.Sleep(time.Hour) // an outage makes nothing older
		out.Add(peersOf("b"))
		time.Sleep(time.Second)
		return nil
	})
	wantLines(t, got, "a:1 b:1 the answer is incomplete", "b:1 the answer is incomplete")
}

func TestFollowStopsTheStrategyWhenTheLoopBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := false
		kind := strategy.Kind[struct{}]{Name: "one", New: func(struct{}, strategy.Env) (strategy.Strategy, error) {
			return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
				out.Set(peersOf("a"))
				<-ctx.Done()
				stopped = true
				return ctx.Err()
			}), nil
		}}
		c, err := kind.Configure(struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		for range cluster.Follow(t.Context(), c, strategy.Env{}) {
			break
		}
		if !stopped {
			t.Error("the strategy runs on after the loop")
		}
	})
}

func TestConfigFollowNamesATopologyThatIsMissing(t *testing.T) {
	if _, err := new(cluster.Config).Follow(t.Context(), "orders", nil); err == nil || !strings.Contains(err.Error(), `"orders"`) {
		t.Errorf("Follow = %v, want an error that names the topology", err)
	}
}

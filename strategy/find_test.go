package strategy_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

func TestFindReturnsTheFirstAnswerAndWhatItLacks(t *testing.T) {
	a, b := peer.Peer{Addr: "10.0.0.1:7946"}, peer.Peer{Addr: "10.0.0.2:7946"}
	incomplete := strategy.ErrIncomplete.Error()
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name  string
		run   strategy.Func
		peers []peer.Peer
		err   string
	}{
		{"a complete answer", func(ctx context.Context, out strategy.Sink) error {
			out.Set([]peer.Peer{a})
			return wait(ctx)
		}, []peer.Peer{a}, ""},
		{"an empty one", func(ctx context.Context, out strategy.Sink) error {
			out.Set(nil)
			return wait(ctx)
		}, nil, ""},
		{"an incomplete one with its reason", func(ctx context.Context, out strategy.Sink) error {
			out.Add([]peer.Peer{a})
			out.Add([]peer.Peer{b})
			out.Fail(errors.New("page 2 is missing"))
			return wait(ctx)
		}, []peer.Peer{a, b}, "page 2 is missing"},
		{"peers one by one, some of them again and again", func(ctx context.Context, out strategy.Sink) error {
			for _, some := range [][]peer.Peer{nil, {a}, {a, b}, {a, b}} {
				out.Add(some)
				time.Sleep(2 * time.Second)
			}
			return wait(ctx)
		}, []peer.Peer{a, b}, incomplete},
		{"no peer so far", func(ctx context.Context, out strategy.Sink) error {
			out.Add(nil)
			return wait(ctx)
		}, nil, incomplete},
		{"an incomplete one that is completed", func(ctx context.Context, out strategy.Sink) error {
			out.Add([]peer.Peer{a})
			out.Set([]peer.Peer{a, b})
			return wait(ctx)
		}, []peer.Peer{a, b}, ""},
		{"an error", func(ctx context.Context, out strategy.Sink) error {
			out.Fail(errors.New("refused"))
			return wait(ctx)
		}, nil, "refused"},
		{"a crash", func(context.Context, strategy.Sink) error {
			return errors.New("no such platform")
		}, nil, "no such platform"},
		{"a panic", func(context.Context, strategy.Sink) error {
			panic("nil map")
		}, nil, "the strategy panicked: nil map"},
		{"an early return", func(context.Context, strategy.Sink) error {
			return nil
		}, nil, "the strategy returned before it gave an answer"},
		{"silence", func(ctx context.Context, _ strategy.Sink) error {
			return wait(ctx)
		}, nil, "no answer: context deadline exceeded"},
		{"silence that ignores its end", func(context.Context, strategy.Sink) error {
			time.Sleep(time.Hour)
			return nil
		}, nil, "no answer: context deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				got, err := strategy.Find(ctx, c.run)
				var text string
				if err != nil {
					text = err.Error()
				}
				if text != c.err {
					t.Errorf("Find() = %q, want %q", text, c.err)
				}
				if d := cmp.Diff(c.peers, got); d != "" {
					t.Errorf("peers (-want +got):\n%s", d)
				}
				time.Sleep(2 * time.Hour) // on the bubble's clock: until the last one has returned
			})
		})
	}
}

func TestConfiguredFindMakesTheStrategyAndFindsOnce(t *testing.T) {
	kind := strategy.Kind[struct{}]{Name: "two", New: func(_ struct{}, env strategy.Env) (strategy.Strategy, error) {
		if env.Topology == "" {
			return nil, errors.New("needs a topology")
		}
		return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
			out.Set([]peer.Peer{{Addr: "10.0.0.1:1"}, {Addr: "10.0.0.2:1"}})
			<-ctx.Done()
			return ctx.Err()
		}), nil
	}}
	c, err := kind.Configure(struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Find(t.Context(), strategy.Env{Topology: "lan"}); err != nil || len(got) != 2 {
		t.Errorf("Find = %v, %v, want two peers", got, err)
	}
	if _, err := c.Find(t.Context(), strategy.Env{}); err == nil || err.Error() != "strategy two: needs a topology" {
		t.Errorf("Find = %v, want the error of New", err)
	}
}

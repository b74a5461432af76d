package command

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

func TestFirstAnswerTellsHowMuchTheStrategyKnew(t *testing.T) {
	a, b := peer.Peer{Addr: "10.0.0.1:7946"}, peer.Peer{Addr: "10.0.0.2:7946"}
	wait := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name  string
		run   strategy.Func
		kind  string
		peers []peer.Peer
		err   string
	}{
		{"a complete answer", func(ctx context.Context, out strategy.Sink) error {
			out.Set([]peer.Peer{a})
			return wait(ctx)
		}, answerComplete, []peer.Peer{a}, ""},
		{"an empty one", func(ctx context.Context, out strategy.Sink) error {
			out.Set(nil)
			return wait(ctx)
		}, answerComplete, nil, ""},
		{"an incomplete one with its reason", func(ctx context.Context, out strategy.Sink) error {
			out.Add([]peer.Peer{a})
			out.Add([]peer.Peer{b})
			out.Fail(errors.New("page 2 is missing"))
			return wait(ctx)
		}, answerPartial, []peer.Peer{a, b}, "page 2 is missing"},
		{"peers one by one, some of them again and again", func(ctx context.Context, out strategy.Sink) error {
			for _, some := range [][]peer.Peer{nil, {a}, {a, b}, {a, b}} {
				out.Add(some)
				time.Sleep(2 * time.Second)
			}
			return wait(ctx)
		}, answerPartial, []peer.Peer{a, b}, ""},
		{"nobody so far", func(ctx context.Context, out strategy.Sink) error {
			out.Add(nil)
			return wait(ctx)
		}, answerPartial, nil, ""},
		{"an incomplete one that is completed", func(ctx context.Context, out strategy.Sink) error {
			out.Add([]peer.Peer{a})
			out.Set([]peer.Peer{a, b})
			return wait(ctx)
		}, answerComplete, []peer.Peer{a, b}, ""},
		{"an error", func(ctx context.Context, out strategy.Sink) error {
			out.Fail(errors.New("refused"))
			return wait(ctx)
		}, answerNone, nil, "refused"},
		{"a crash", func(context.Context, strategy.Sink) error {
			return errors.New("no such platform")
		}, answerNone, nil, "no such platform"},
		{"a panic", func(context.Context, strategy.Sink) error {
			panic("nil map")
		}, answerNone, nil, "the strategy panicked: nil map"},
		{"silence", func(ctx context.Context, _ strategy.Sink) error {
			return wait(ctx)
		}, answerNone, nil, "no answer within 10s"},
		{"silence that ignores its end", func(context.Context, strategy.Sink) error {
			time.Sleep(time.Hour)
			return nil
		}, answerNone, nil, "no answer within 10s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := firstAnswer(t.Context(), c.run, 10*time.Second)
				var text string
				if got.err != nil {
					text = got.err.Error()
				}
				if got.kind != c.kind || text != c.err {
					t.Errorf("firstAnswer() = %s, %q, want %s, %q", got.kind, text, c.kind, c.err)
				}
				if d := cmp.Diff(c.peers, got.peers); d != "" {
					t.Errorf("peers (-want +got):\n%s", d)
				}
				time.Sleep(2 * time.Hour) // on the bubble's clock: until the deaf one has ended
			})
		})
	}
}

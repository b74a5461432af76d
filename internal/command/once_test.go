package command

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

func TestFirstAnswerIsCompletePartialOrNone(t *testing.T) {
	some := []peer.Peer{{Addr: "10.0.0.1:7946"}}
	for _, c := range []struct {
		report    func(out strategy.Sink)
		kind, err string
		peers     int
	}{
		{func(out strategy.Sink) { out.Set(some) }, answerComplete, "", 1},
		{func(out strategy.Sink) { out.Set(nil) }, answerComplete, "", 0},
		{func(out strategy.Sink) { out.Add(some) }, answerPartial, "", 1},
		{func(out strategy.Sink) { out.Add(nil) }, answerPartial, "", 0},
		{func(out strategy.Sink) { out.Add(some); out.Fail(errors.New("page 2 is missing")) }, answerPartial, "page 2 is missing", 1},
		{func(out strategy.Sink) { out.Fail(errors.New("refused")) }, answerNone, "refused", 0},
		{func(strategy.Sink) {}, answerNone, "no answer within 10s", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := firstAnswer(t.Context(), strategy.Func(func(ctx context.Context, out strategy.Sink) error {
				c.report(out)
				<-ctx.Done()
				return ctx.Err()
			}), 10*time.Second)
			var text string
			if got.err != nil {
				text = got.err.Error()
			}
			if got.kind != c.kind || text != c.err || len(got.peers) != c.peers {
				t.Errorf("firstAnswer() = %s, %q, %d peers, want %s, %q, %d", got.kind, text, len(got.peers), c.kind, c.err, c.peers)
			}
		})
	}
}

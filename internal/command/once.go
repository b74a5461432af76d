package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// answer is what a strategy found when it was run once.
type answer struct {
	kind  string // one of the constants of addrs
	peers []peer.Peer
	err   error
}

// firstAnswer runs a strategy until its first answer, for timeout at most.
func firstAnswer(ctx context.Context, s strategy.Strategy, timeout time.Duration) answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	peers, err := strategy.Find(ctx, s)
	switch incomplete := errors.Is(err, strategy.ErrIncomplete); {
	case err == nil:
		return answer{kind: answerComplete, peers: peers}
	case incomplete:
		return answer{kind: answerPartial, peers: peers}
	case len(peers) > 0:
		return answer{answerPartial, peers, err}
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil:
		err = fmt.Errorf("no answer within %v", timeout)
	}
	return answer{kind: answerNone, err: err}
}

package agent

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/quorum"
)

// Elect stands for election for a client, for one term: it reports when the term begins, how long the right lasts, and when it ends. The
// term is over when ctx ends, which means that what the client runs has ended.
func (o operator) Elect(ctx context.Context, name string, report func(ops.Term) error) error {
	q, err := o.current()
	if err != nil {
		return err
	}
	for failures := 1; ; failures++ {
		err := o.standOnce(ctx, q, name, report)
		if !errors.Is(err, quorum.ErrWorking) {
			return operateError(err)
		}
		if backoff.Sleep(ctx, backoff.Doubling(firstElectWait, longestElectWait, failures)) != nil { // another client of this node stands under the name
			return nil
		}
	}
}

// Waits of a client while another one of this node stands under the same name.
const (
	firstElectWait   = 20 * time.Millisecond
	longestElectWait = time.Second
)

// standOnce stands for election until one term is over.
func (o operator) standOnce(ctx context.Context, q *quorum.Quorum, name string, report func(ops.Term) error) error {
	once, cancel := context.WithCancel(ctx)
	defer cancel()
	err := q.Lead(once, name, func(term context.Context, h quorum.Hold) error {
		defer cancel()
		return o.reportTerm(ctx, term, h, report)
	})
	if once.Err() != nil { // the term is over, or the client has gone
		return nil
	}
	return err
}

// reportTerm reports the steps of a term until the client closes the connection or the right is over.
func (o operator) reportTerm(ctx, term context.Context, h quorum.Hold, report func(ops.Term) error) error {
	margin := o.node.config.Quorum.Lease / 10 // as Lead ends its context
	step := ops.Term{Event: ops.TermBegins, Shard: h.Shard, Token: uint64(h.Token), Margin: int64(margin)}
	tick := time.NewTicker(margin)
	defer tick.Stop()
	for ended := term.Done(); ; {
		left := h.Left()
		if left <= 0 {
			return quorum.ErrLost
		}
		step.Left, step.At = int64(left), time.Now().UnixNano()
		if err := report(step); err != nil {
			return err
		}
		if step.Event == ops.TermBegins {
			step.Event = ops.TermGoesOn
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			ended, step.Event, step.Why = nil, ops.TermEnds, context.Cause(term).Error()
		case <-tick.C:
		}
	}
}

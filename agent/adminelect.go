package agent

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum"
)

// elect stands for election for a client, for one term: it sends when the term begins, how long the right lasts, and when it ends. The term is
// over when the client closes the connection, which means that what it runs has ended.
func (n *Node) elect(ctx context.Context, r admin.Request, out send) error {
	q, err := n.quorum.current()
	if err != nil {
		return err
	}
	for failures := 1; ; failures++ {
		err := n.standOnce(ctx, q, r, out)
		if !errors.Is(err, quorum.ErrWorking) {
			return err
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
func (n *Node) standOnce(ctx context.Context, q *quorum.Quorum, r admin.Request, out send) error {
	once, cancel := context.WithCancel(ctx)
	defer cancel()
	err := q.Lead(once, string(r.Key), func(term context.Context, h quorum.Hold) error {
		defer cancel()
		return n.sendTerm(ctx, term, h, out)
	})
	if once.Err() != nil { // the term is over, or the client has gone
		return nil
	}
	return err
}

// sendTerm sends the steps of a term until the client closes the connection or the right is over.
func (n *Node) sendTerm(ctx, term context.Context, h quorum.Hold, out send) error {
	margin := n.config.Quorum.Lease / 10 // as Lead ends its context
	step := admin.Term{Event: admin.TermBegins, Shard: h.Shard, Token: uint64(h.Token), Margin: int64(margin)}
	tick := time.NewTicker(margin)
	defer tick.Stop()
	for ended := term.Done(); ; {
		left := h.Left()
		if left <= 0 {
			return quorum.ErrLost
		}
		step.Left, step.At = int64(left), time.Now().UnixNano()
		if err := out(step); err != nil {
			return err
		}
		if step.Event == admin.TermBegins {
			step.Event = admin.TermGoesOn
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ended:
			ended, step.Event, step.Why = nil, admin.TermEnds, context.Cause(term).Error()
		case <-tick.C:
		}
	}
}

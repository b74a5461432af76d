package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/goconvoke/convoke/quorum"
)

// leave gives up what this node holds and ends the quorum, for a bounded time. Without a leader there is nothing to wait for once the lease is over:
// the last members of a cluster that ends have none.
func (p *quorumPart) leave(ctx context.Context, q *quorum.Quorum) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.leaveTimeout)
	defer cancel()
	var watch sync.WaitGroup
	watch.Go(func() {
		if awaitNothingToLeave(ctx, q) {
			cancel()
		}
	})
	err := q.Leave(ctx)
	inTime := ctx.Err() == nil || errors.Is(ctx.Err(), context.Canceled)
	cancel()
	watch.Wait()
	if err != nil && !inTime {
		p.log.Warn("the quorum was left before everything was handed over", "error", err)
	}
	p.fail(quorum.ErrStopped)
}

// awaitNothingToLeave reports whether this node holds nothing and knows no leader before ctx ends.
func awaitNothingToLeave(ctx context.Context, q *quorum.Quorum) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := q.Status(ctx)
		switch {
		case err != nil: // ctx or the quorum has ended
			return false
		case s.Leader == "" && s.Lease == 0:
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/quorum"
)

// onQuorum passes a request to the quorum.
func onQuorum(do func(ctx context.Context, q *quorum.Quorum, r admin.Request, out send) error) operation {
	return func(n *Node, ctx context.Context, r admin.Request, out send) error {
		q, err := n.quorum.current()
		if err != nil {
			return fmt.Errorf("%s: %w", r.Op, err)
		}
		return do(ctx, q, r, out)
	}
}

func (n *Node) sendQuorum(ctx context.Context, _ admin.Request, out send) error {
	if n.quorum == nil {
		return errNoSection
	}
	return out(n.quorumStatus(ctx))
}

// transferQuorum returns when another voter leads, the one that the request names if it does. A transfer that does not come about, since the
// voter lacks entries or does not answer in time, is tried again until ctx ends.
func transferQuorum(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	before, err := q.Status(ctx)
	if err != nil {
		return err
	}
	if r.Member != "" && before.Leader == r.Member {
		return nil
	}
	for {
		err := q.Transfer(ctx, r.Member)
		switch {
		case errors.Is(err, quorum.ErrNotFound):
			return fmt.Errorf("no voter %q answers: convoke quorum status has them: %w", r.Member, err)
		case err != nil:
			return err
		}
		if awaitOtherLeader(ctx, q, before.Leader, r.Member) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s still leads", before.Leader)
		}
	}
}

// transferWait is how long a transfer may take before it is tried again.
const transferWait = time.Second

// awaitOtherLeader reports whether another member leads in time, to if that is given.
func awaitOtherLeader(ctx context.Context, q *quorum.Quorum, old, to string) bool {
	ctx, cancel := context.WithTimeout(ctx, transferWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := q.Status(ctx)
		switch {
		case err != nil:
			return false
		case s.Leader != "" && s.Leader != old && (to == "" || s.Leader == to):
			return true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
}

func recoverQuorum(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	err := q.Recover(ctx, r.Force)
	if errors.Is(err, quorum.ErrMajority) && !r.Force {
		return fmt.Errorf("%w; --force recovers all the same, and splits the cluster if they are", err)
	}
	return err
}

package agent

import (
	"context"
	"errors"
	"fmt"

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

func transferQuorum(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	err := q.Transfer(ctx, r.Member)
	if errors.Is(err, quorum.ErrNotFound) {
		return fmt.Errorf("no voter %q answers: convoke quorum status has them: %w", r.Member, err)
	}
	return err
}

func recoverQuorum(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	err := q.Recover(ctx, r.Force)
	if errors.Is(err, quorum.ErrMajority) && !r.Force {
		return fmt.Errorf("%w; --force recovers all the same, and splits the cluster if they are", err)
	}
	return err
}

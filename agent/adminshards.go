package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/quorum"
)

func (n *Node) sendGroups(ctx context.Context, _ admin.Request, out send) error {
	for _, g := range n.groupList(ctx) {
		if err := out(g); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) sendShards(_ context.Context, r admin.Request, out send) error {
	all, ok := n.shardList(r.Group)
	if !ok {
		return fmt.Errorf("there is no group %q: convoke shards list has all", r.Group)
	}
	for _, s := range all {
		if err := out(s); err != nil {
			return err
		}
	}
	return nil
}

// drainShards frees a member of a group for good, or lets it hold shards again.
func drainShards(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	if r.Undo {
		return placeError(r, q.Include(ctx, r.Group, r.Member))
	}
	return placeError(r, q.Exclude(ctx, r.Group, r.Member))
}

func moveShard(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	return placeError(r, q.Move(ctx, r.Group, r.Shard, r.Member))
}

func pinShard(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	if r.Member == "" {
		return errors.New("name the member that the shard is pinned to")
	}
	return placeError(r, q.Pin(ctx, r.Group, r.Shard, r.Member))
}

func unpinShard(ctx context.Context, q *quorum.Quorum, r admin.Request, _ send) error {
	return placeError(r, q.Pin(ctx, r.Group, r.Shard, ""))
}

// placeError adds to an error what it is about.
func placeError(r admin.Request, err error) error {
	if errors.Is(err, quorum.ErrNotFound) {
		return fmt.Errorf("group %q, shard %d, member %q: %w", r.Group, r.Shard, r.Member, err)
	}
	return err
}

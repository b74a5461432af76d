package agent

import (
	"context"
	"fmt"

	"github.com/goconvoke/convoke/internal/admin"
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

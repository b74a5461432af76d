package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

func sharedGet(_ context.Context, g *gossip.Node, r admin.Request, out send) error {
	value, ok := g.Shared().Get(string(r.Key))
	if !ok {
		return fmt.Errorf("the shared map has no key %q", r.Key)
	}
	return out(admin.Pair{Key: r.Key, Value: admin.Text(value)})
}

func sharedSet(ctx context.Context, g *gossip.Node, r admin.Request, _ send) error {
	var opts []gossip.SetOption
	if r.TTL != 0 {
		opts = append(opts, gossip.TTL(r.TTL))
	}
	return g.Shared().Set(ctx, string(r.Key), string(r.Value), opts...)
}

func sharedDelete(ctx context.Context, g *gossip.Node, r admin.Request, _ send) error {
	return g.Shared().Delete(ctx, string(r.Key))
}

func sharedUpdate(ctx context.Context, g *gossip.Node, r admin.Request, _ send) error {
	return g.Shared().Update(ctx, string(r.Key), func(old string, ok bool) (string, bool, error) {
		if err := checkExpected("shared map", r, old, ok); err != nil {
			return "", false, err
		}
		return string(r.Value), true, nil
	})
}

func sharedList(_ context.Context, g *gossip.Node, r admin.Request, out send) error {
	var all []admin.Pair
	for key, value := range g.Shared().All(string(r.Key)) {
		all = append(all, admin.Pair{Key: admin.Text(key), Value: admin.Text(value)})
	}
	slices.SortFunc(all, func(a, b admin.Pair) int { return cmp.Compare(a.Key, b.Key) })
	for _, p := range all {
		if err := out(p); err != nil {
			return err
		}
	}
	return nil
}

func sharedWatch(ctx context.Context, g *gossip.Node, r admin.Request, out send) error {
	for c := range g.Shared().Watch(ctx, string(r.Key)) {
		if err := out(admin.Pair{Key: admin.Text(c.Key), Value: admin.Text(c.Value), Gone: c.Gone}); err != nil {
			return err
		}
	}
	return endOf(g)
}

func sharedSync(ctx context.Context, g *gossip.Node, _ admin.Request, _ send) error {
	return g.Shared().Sync(ctx)
}

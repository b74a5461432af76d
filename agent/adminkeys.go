package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

func keysGet(_ context.Context, g *gossip.Node, r admin.Request, out send) error {
	m, err := memberNamed(g, r.Member)
	if err != nil {
		return err
	}
	value, ok := m.Get(string(r.Key))
	if !ok {
		return fmt.Errorf("%q publishes no key %q", m.Name, r.Key)
	}
	return out(admin.Pair{Member: m.Name, Key: r.Key, Value: admin.Text(value)})
}

func memberNamed(g *gossip.Node, name string) (*gossip.Member, error) {
	if m, ok := g.View().Member(name); ok {
		return m, nil
	}
	return nil, fmt.Errorf("no member is called %q: convoke members has all", name)
}

func keysSet(ctx context.Context, g *gossip.Node, r admin.Request, _ send) error {
	if err := g.Set(ctx, string(r.Key), string(r.Value)); err != nil {
		return err
	}
	awaitSeen(ctx, g, r.Member, string(r.Key), func(value string, ok bool) bool { return ok && value == string(r.Value) })
	return nil
}

func keysDelete(ctx context.Context, g *gossip.Node, r admin.Request, _ send) error {
	if err := g.Delete(ctx, string(r.Key)); err != nil {
		return err
	}
	awaitSeen(ctx, g, r.Member, string(r.Key), func(_ string, ok bool) bool { return !ok })
	return nil
}

// awaitSeen returns when a key is as it was written in this node's view too, so that the next command reads it; or soon, since
// another client may have written it again.
func awaitSeen(ctx context.Context, g *gossip.Node, member, key string, is func(value string, ok bool) bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for range g.Watch(ctx) {
		if is(g.Get(member, key)) {
			return
		}
	}
}

func keysList(_ context.Context, g *gossip.Node, r admin.Request, out send) error {
	if r.Member != "" {
		m, err := memberNamed(g, r.Member)
		if err != nil {
			return err
		}
		return sendKeys(m, out)
	}
	for m := range g.View().All() {
		if err := sendKeys(m, out); err != nil {
			return err
		}
	}
	return nil
}

// sendKeys sends the keys of a member.
func sendKeys(m *gossip.Member, out send) error {
	for key, value := range m.Keys() {
		if err := out(admin.Pair{Member: m.Name, Key: admin.Text(key), Value: admin.Text(value)}); err != nil {
			return err
		}
	}
	return nil
}

// keysWatch sends the keys of all members, and then what changes.
func keysWatch(ctx context.Context, g *gossip.Node, _ admin.Request, out send) error {
	for c := range g.WatchKeys(ctx, "", "") {
		if err := out(admin.Pair{Member: c.Member, Key: admin.Text(c.Key), Value: admin.Text(c.Value), Gone: c.Gone}); err != nil {
			return err
		}
	}
	return endOf(g)
}

// endOf returns why a watch has ended; nil if the client or the agent ended it.
func endOf(g *gossip.Node) error {
	if err := g.Err(); !errors.Is(err, gossip.ErrStopped) {
		return err
	}
	return nil
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

// pair is a key of a member, or of the shared map.
type pair struct {
	Member string     `json:"member,omitzero"` // "" in the shared map
	Key    admin.Text `json:"key"`
	Value  admin.Text `json:"value"`
	Gone   bool       `json:"gone,omitzero"` // withdrawn, deleted or expired
}

// text is a line of a watch.
func (p pair) text() string {
	line := shown(string(p.Key))
	if p.Member != "" {
		line = shown(p.Member) + "  " + line
	}
	if p.Gone {
		return line + "  (gone)"
	}
	return line + " = " + shown(string(p.Value))
}

func newKeys() *cobra.Command {
	c := &cobra.Command{
		Use:                        "keys",
		Short:                      "Read and write what the members publish of themselves",
		Long:                       `A member writes its own keys alone, and every member reads them all.`,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE:                       func(c *cobra.Command, args []string) error { return withoutCommand(c, args) },
	}
	c.AddCommand(newKeysGet(), newKeysSet(), newKeysDelete(), newKeysList(), newKeysWatch())
	return c
}

func newKeysGet() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "get -c FILE [MEMBER] KEY",
		Short: "Print the value of a key, of this node or of a member",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			q := admin.Request{Op: "keys get", Key: admin.Text(args[len(args)-1])}
			if len(args) == 2 {
				q.Member = args[0]
			}
			return printValue(c, &r, q)
		},
	}
	remoteFlags(c, &r)
	c.ValidArgsFunction = completion(&r, admin.Request{Op: "members"}, func(m member) string { return m.Name })
	return c
}

// printValue asks for one pair and prints its value as it is.
func printValue(c *cobra.Command, r *remote, q admin.Request) error {
	return r.ask(c.Context(), q, into(func(p pair) error { return printLine(c.OutOrStdout(), r.as, p, string(p.Value)) }))
}

func newKeysSet() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "set -c FILE KEY VALUE",
		Short: "Publish a key of this node",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return change(c, &r, admin.Request{Op: "keys set", Key: admin.Text(args[0]), Value: admin.Text(args[1])}, "set")
		},
	}
	remoteFlags(c, &r)
	return c
}

func newKeysDelete() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "delete -c FILE KEY",
		Short: "Withdraw a key of this node; nothing happens if it is not there",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return change(c, &r, admin.Request{Op: "keys delete", Key: admin.Text(args[0])}, "deleted")
		},
	}
	remoteFlags(c, &r)
	return c
}

// change asks for something that is answered by nothing but an error.
func change(c *cobra.Command, r *remote, q admin.Request, text string) error {
	if err := r.ask(c.Context(), q, drop); err != nil {
		return err
	}
	return done(c, r.as, text+" "+shown(string(q.Key)))
}

func newKeysList() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "list -c FILE [MEMBER]",
		Short: "Print the keys of all members, or of one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q := admin.Request{Op: "keys list"}
			if len(args) == 1 {
				q.Member = args[0]
			}
			return printAll(c, &r, q, "MEMBER\tKEY\tVALUE", func(p pair) []string { return []string{p.Member, string(p.Key), string(p.Value)} })
		},
	}
	remoteFlags(c, &r)
	c.ValidArgsFunction = completion(&r, admin.Request{Op: "members"}, func(m member) string { return m.Name })
	return c
}

func newKeysWatch() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "watch -c FILE",
		Short: "Print all keys of all members, and then each that changes",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return watchPairs(c, &r, admin.Request{Op: "keys watch"}) },
	}
	remoteFlags(c, &r)
	hideTimeout(c)
	return c
}

// hideTimeout takes a flag out of the help of a command that goes on until it is told to stop.
func hideTimeout(c *cobra.Command) { _ = c.Flags().MarkHidden("timeout") } // the flag is there

// watchPairs prints pairs until it is told to stop.
func watchPairs(c *cobra.Command, r *remote, q admin.Request) error {
	return r.watch(c.Context(), q, into(func(p pair) error { return printLine(c.OutOrStdout(), r.as, p, p.text()) }))
}

// ofSelf has a request that names no member be about this node.
func ofSelf(do func(*desk, context.Context, admin.Request, send) error) func(*desk, context.Context, admin.Request, send) error {
	return func(d *desk, ctx context.Context, r admin.Request, out send) error {
		r.Member = cmp.Or(r.Member, d.config.Node.Name)
		return do(d, ctx, r, out)
	}
}

func keysGet(_ context.Context, n *gossip.Node, r admin.Request, out send) error {
	m, err := memberOf(n, r.Member)
	if err != nil {
		return err
	}
	value, ok := m.Get(string(r.Key))
	if !ok {
		return fmt.Errorf("%q publishes no key %q", m.Name, r.Key)
	}
	return out(pair{Member: m.Name, Key: r.Key, Value: admin.Text(value)})
}

func memberOf(n *gossip.Node, name string) (*gossip.Member, error) {
	if m, ok := n.View().Member(name); ok {
		return m, nil
	}
	return nil, fmt.Errorf("no member is called %q: convoke members has all", name)
}

func keysSet(ctx context.Context, n *gossip.Node, r admin.Request, _ send) error {
	if err := n.Set(ctx, string(r.Key), string(r.Value)); err != nil {
		return err
	}
	seen(ctx, n, r.Member, string(r.Key), func(value string, ok bool) bool { return ok && value == string(r.Value) })
	return nil
}

func keysDelete(ctx context.Context, n *gossip.Node, r admin.Request, _ send) error {
	if err := n.Delete(ctx, string(r.Key)); err != nil {
		return err
	}
	seen(ctx, n, r.Member, string(r.Key), func(_ string, ok bool) bool { return !ok })
	return nil
}

// seen returns when a key is as it was written in this node's view too, so that the next command reads it; or soon, since
// somebody else may have written it again.
func seen(ctx context.Context, n *gossip.Node, member, key string, is func(value string, ok bool) bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for range n.Watch(ctx) {
		if is(n.Get(member, key)) {
			return
		}
	}
}

func keysList(_ context.Context, n *gossip.Node, r admin.Request, out send) error {
	if r.Member != "" {
		m, err := memberOf(n, r.Member)
		if err != nil {
			return err
		}
		return sendKeys(m, out)
	}
	for m := range n.View().All() {
		if err := sendKeys(m, out); err != nil {
			return err
		}
	}
	return nil
}

// sendKeys sends the keys of a member.
func sendKeys(m *gossip.Member, out send) error {
	for key, value := range m.Keys() {
		if err := out(pair{Member: m.Name, Key: admin.Text(key), Value: admin.Text(value)}); err != nil {
			return err
		}
	}
	return nil
}

// keysWatch sends the keys of all members, and then what changes.
func keysWatch(ctx context.Context, n *gossip.Node, _ admin.Request, out send) error {
	for c := range n.WatchKeys(ctx, "", "") {
		if err := out(pair{Member: c.Member, Key: admin.Text(c.Key), Value: admin.Text(c.Value), Gone: c.Gone}); err != nil {
			return err
		}
	}
	return endOf(n)
}

// endOf says why a watch has ended: nothing, if the client or the agent wanted that.
func endOf(n *gossip.Node) error {
	if err := n.Err(); !errors.Is(err, gossip.ErrStopped) {
		return err
	}
	return nil
}

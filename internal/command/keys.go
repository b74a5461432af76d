package command

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

// pairLine returns a line of a watch.
func (s screen) pairLine(p ops.Pair) string {
	line := displayText(string(p.Key))
	if p.Member != "" {
		line = displayText(p.Member) + "  " + line
	}
	if p.Gone {
		return line + "  (gone)"
	}
	return line + " = " + s.cell(valueOf(p))
}

// valueOf returns the value of a pair.
func valueOf(p ops.Pair) string {
	if p.Value == nil {
		return ""
	}
	return string(*p.Value)
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
	var r agentClient
	c := &cobra.Command{
		Use:   "get -c FILE [MEMBER] KEY",
		Short: "Print the value of a key, of this node or of a member",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			member := ""
			if len(args) == 2 {
				member = args[0]
			} else if name, err := r.agentName(c.Context()); err != nil {
				return err
			} else {
				member = name
			}
			return printValue(c, &r, get("members/"+part(member)+"/keys/"+part(args[len(args)-1])))
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeMembersAndKeys(&r)
	return c
}

// agentName returns the name of the node that the agent is.
func (r *agentClient) agentName(ctx context.Context) (string, error) {
	d, err := ask[ops.Document](ctx, r, get("status"))
	return d.Node.Name, err
}

// printValue asks for one pair and prints its value as it is.
func printValue(c *cobra.Command, r *agentClient, q call) error {
	p, err := ask[ops.Pair](c.Context(), r, q)
	if err != nil {
		return err
	}
	return printLine(c.OutOrStdout(), r.as, p, valueOf(p))
}

// put writes a key below a path.
func put(path, key string, w ops.KeyWrite) call { return callOf(http.MethodPut, path+"/"+part(key), w) }

// remove deletes a key below a path.
func remove(path, key string) call { return callOf(http.MethodDelete, path+"/"+part(key), nil) }

// writeOf returns the body of a write.
func writeOf(value string) ops.KeyWrite { return ops.KeyWrite{Value: (*ops.Text)(&value)} }

func newKeysSet() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "set -c FILE KEY VALUE",
		Short: "Publish a key of this node",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return r.change(c, put("keys", args[0], writeOf(args[1])), "set "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	return c
}

func newKeysDelete() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "delete -c FILE KEY",
		Short: "Withdraw a key of this node; nothing happens if it is not there",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.change(c, remove("keys", args[0]), "deleted "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	return c
}

func newKeysList() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "list -c FILE [MEMBER]",
		Short: "Print the keys of all members, or of one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q := get("keys", "values", "true")
			if len(args) == 1 {
				q = get("members/"+part(args[0])+"/keys", "values", "true")
			}
			return printAll(c, &r, q, "MEMBER\tKEY\tVALUE", func(p ops.Pair) []string { return []string{p.Member, string(p.Key), valueOf(p)} })
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeMembers(&r, 0)
	return c
}

func newKeysWatch() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "watch -c FILE",
		Short: "Print all keys of all members, and then each that changes",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return watchPairs(c, &r, get("watch/keys")) },
	}
	clientFlags(c, &r)
	hideTimeout(c)
	return c
}

// hideTimeout takes a flag out of the help of a command that goes on until it is interrupted.
func hideTimeout(c *cobra.Command) { _ = c.Flags().MarkHidden("timeout") } // the flag is there

// watchPairs prints pairs until ctx is done.
func watchPairs(c *cobra.Command, r *agentClient, q call) error {
	s := screenOf(c, r.as)
	return r.follow(c.Context(), q, reportEach(ops.EventPair, func(p ops.Pair) error { return printLine(s, r.as, p, s.pairLine(p)) }))
}

package command

import (
	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/admin"
)

// lineOf returns a line of a watch.
func lineOf(p admin.Pair) string {
	line := displayText(string(p.Key))
	if p.Member != "" {
		line = displayText(p.Member) + "  " + line
	}
	if p.Gone {
		return line + "  (gone)"
	}
	return line + " = " + displayText(string(p.Value))
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
			q := admin.Request{Op: "keys get", Key: admin.Text(args[len(args)-1])}
			if len(args) == 2 {
				q.Member = args[0]
			}
			return printValue(c, &r, q)
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeFrom(&r, admin.Request{Op: "members"}, func(m admin.Member) string { return m.Name })
	return c
}

// printValue asks for one pair and prints its value as it is.
func printValue(c *cobra.Command, r *agentClient, q admin.Request) error {
	return r.askAgent(c.Context(), q, decodeEach(func(p admin.Pair) error { return printLine(c.OutOrStdout(), r.as, p, string(p.Value)) }))
}

func newKeysSet() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "set -c FILE KEY VALUE",
		Short: "Publish a key of this node",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return requestChange(c, &r, admin.Request{Op: "keys set", Key: admin.Text(args[0]), Value: admin.Text(args[1])}, "set")
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
			return requestChange(c, &r, admin.Request{Op: "keys delete", Key: admin.Text(args[0])}, "deleted")
		},
	}
	clientFlags(c, &r)
	return c
}

// requestChange asks for something that is answered by nothing but an error.
func requestChange(c *cobra.Command, r *agentClient, q admin.Request, text string) error {
	if err := r.askAgent(c.Context(), q, ignoreReply); err != nil {
		return err
	}
	return printDone(c, r.as, text+" "+displayText(string(q.Key)))
}

func newKeysList() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "list -c FILE [MEMBER]",
		Short: "Print the keys of all members, or of one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q := admin.Request{Op: "keys list"}
			if len(args) == 1 {
				q.Member = args[0]
			}
			return printAll(c, &r, q, "MEMBER\tKEY\tVALUE", func(p admin.Pair) []string { return []string{p.Member, string(p.Key), string(p.Value)} })
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeFrom(&r, admin.Request{Op: "members"}, func(m admin.Member) string { return m.Name })
	return c
}

func newKeysWatch() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "watch -c FILE",
		Short: "Print all keys of all members, and then each that changes",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return watchPairs(c, &r, admin.Request{Op: "keys watch"}) },
	}
	clientFlags(c, &r)
	hideTimeout(c)
	return c
}

// hideTimeout takes a flag out of the help of a command that goes on until it is interrupted.
func hideTimeout(c *cobra.Command) { _ = c.Flags().MarkHidden("timeout") } // the flag is there

// watchPairs prints pairs until ctx is done.
func watchPairs(c *cobra.Command, r *agentClient, q admin.Request) error {
	return r.watchAgent(c.Context(), q, decodeEach(func(p admin.Pair) error { return printLine(c.OutOrStdout(), r.as, p, lineOf(p)) }))
}

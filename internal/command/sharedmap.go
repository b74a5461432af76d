package command

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

func newShared() *cobra.Command {
	c := &cobra.Command{
		Use:                        "shared",
		Short:                      "Read and write the map that all members share",
		Long:                       `Every member reads and writes the shared map; of two writes of a key the later one wins, everywhere.`,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE:                       func(c *cobra.Command, args []string) error { return withoutCommand(c, args) },
	}
	c.AddCommand(newSharedGet(), newSharedSet(), newSharedDelete(), newSharedUpdate(), newSharedList(), newSharedWatch(), newSharedSync())
	return c
}

func newSharedGet() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "get -c FILE KEY",
		Short: "Print the value of a key",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return printValue(c, &r, get("shared/"+part(args[0])))
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeShared(&r)
	return c
}

func newSharedSet() *cobra.Command {
	var r agentClient
	var ttl time.Duration
	c := &cobra.Command{
		Use:   "set -c FILE KEY VALUE",
		Short: "Write a key, for good or for a time",
		Long: `set writes a key: it returns when this node has it, on its disk if it has one. Use sync to wait for the others.
A value with a --ttl goes by itself after that time.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if ttl < 0 || ttl > 0 && ttl < time.Millisecond {
				return fmt.Errorf("--ttl %v: want 1ms at least, or 0 for ever", ttl)
			}
			w := writeOf(args[1])
			w.TTL = ttl.Seconds()
			return r.change(c, put("shared", args[0], w), "set "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	c.Flags().DurationVar(&ttl, "ttl", 0, "how long the value stays; 0: for ever")
	c.ValidArgsFunction = completeShared(&r)
	return c
}

func newSharedDelete() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "delete -c FILE KEY",
		Short: "Delete a key; nothing happens if it is not there",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.change(c, remove("shared", args[0]), "deleted "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	c.ValidArgsFunction = completeShared(&r)
	return c
}

func newSharedUpdate() *cobra.Command {
	var r agentClient
	var expect string
	var absent bool
	c := &cobra.Command{
		Use:   "update -c FILE KEY --expect OLD NEW",
		Short: "Write a key if it has the value that is expected",
		Long: `update writes NEW if the key has the value OLD, or with --absent if it has none; otherwise it changes nothing and
exits with 1. Two updates at one node never lose each other. Of two at different nodes at the same moment
the later one wins, and both exit with 0: this is no lock for a whole cluster.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if absent == c.Flags().Changed("expect") {
				return errors.New("add either --expect OLD or --absent")
			}
			w := writeOf(args[1])
			if w.Absent = absent; !absent {
				w.Expect = (*ops.Text)(&expect)
			}
			return r.change(c, put("shared", args[0], w), "updated "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	c.Flags().StringVar(&expect, "expect", "", "the `value` that the key must have")
	c.Flags().BoolVar(&absent, "absent", false, "the key must have no value")
	c.ValidArgsFunction = completeShared(&r)
	return c
}

func newSharedList() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "list -c FILE [PREFIX]",
		Short: "Print all keys and values, or those with a prefix",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return printAll(c, &r, get("shared", "values", "true", "prefix", optionalPrefix(args)), "KEY\tVALUE", func(p ops.Pair) []string {
				return []string{string(p.Key), valueOf(p)}
			})
		},
	}
	clientFlags(c, &r)
	return c
}

func newSharedWatch() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "watch -c FILE [PREFIX]",
		Short: "Print all keys, or those with a prefix, and then each that changes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return watchPairs(c, &r, get("watch/shared", "prefix", optionalPrefix(args)))
		},
	}
	clientFlags(c, &r)
	hideTimeout(c)
	return c
}

func newSharedSync() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "sync -c FILE",
		Short: "Wait until every member that is up has what this node wrote",
		Long: `sync returns when every member that is up has all that this node wrote to the shared map, or after --timeout with
an error that names those who are not known to have it. Members that are down get it when they are back.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return r.change(c, post("sync", nil), "every member that is up has it")
		},
	}
	clientFlags(c, &r)
	return c
}

// optionalPrefix returns the one argument, if there is one.
func optionalPrefix(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

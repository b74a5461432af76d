package command

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

func newMap() *cobra.Command {
	return groupOf("map", "Read and write the linearizable map of the quorum",
		`Every command takes effect at one moment for the whole cluster, or fails: no update is lost, and no old value is read. It needs
a majority of the voters. For what each side of a partition must be able to write there is the shared map.`,
		newMapGet(), newMapSet(), newMapUpdate(), newMapDelete(), newMapWatch())
}

func newMapGet() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "get -c FILE KEY",
		Short: "Print the value of a key",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return printValue(c, &r, get("map/"+part(args[0])))
		},
	}
	clientFlags(c, &r)
	return c
}

// sessionFlag adds the flag that has a key end with the agent.
func sessionFlag(c *cobra.Command, session *bool) {
	c.Flags().BoolVar(session, "session", false, "the key goes when the agent leaves or dies, or is cut off for longer than its lease")
}

func newMapSet() *cobra.Command {
	var r agentClient
	var session bool
	c := &cobra.Command{
		Use:   "set -c FILE KEY VALUE",
		Short: "Write a key",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			w := writeOf(args[1])
			w.Session = session
			return r.change(c, put("map", args[0], w), "set "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	sessionFlag(c, &session)
	return c
}

func newMapUpdate() *cobra.Command {
	var r agentClient
	var expect string
	var absent, session bool
	c := &cobra.Command{
		Use:   "update -c FILE KEY --expect OLD NEW",
		Short: "Write a key if it has the value that is expected",
		Long: `update writes NEW if the key has the value OLD, or with --absent if it has none; otherwise it changes nothing and
exits with 1. Of two updates that expect the same value one alone succeeds, wherever they run.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			if absent == c.Flags().Changed("expect") {
				return errors.New("add either --expect OLD or --absent")
			}
			w := writeOf(args[1])
			w.Session = session
			if w.Absent = absent; !absent {
				w.Expect = (*ops.Text)(&expect)
			}
			return r.change(c, put("map", args[0], w), "updated "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	c.Flags().StringVar(&expect, "expect", "", "the `value` that the key must have")
	c.Flags().BoolVar(&absent, "absent", false, "the key must have no value")
	sessionFlag(c, &session)
	return c
}

func newMapDelete() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "delete -c FILE KEY",
		Short: "Delete a key; nothing happens if it is not there",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return r.change(c, remove("map", args[0]), "deleted "+displayText(args[0]))
		},
	}
	clientFlags(c, &r)
	return c
}

func newMapWatch() *cobra.Command {
	var r agentClient
	c := &cobra.Command{
		Use:   "watch -c FILE [PREFIX]",
		Short: "Print all keys, or those with a prefix, and then each that changes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return watchPairs(c, &r, get("watch/map", "prefix", optionalPrefix(args)))
		},
	}
	clientFlags(c, &r)
	hideTimeout(c)
	return c
}

// Command convoke runs a node of a cluster, and looks into what its topology file says and finds.
//
//	convoke agent -c topology.yaml    run a node until it is told to stop
//	convoke check topology.yaml       report every mistake in the file, without a network
//	convoke addrs -c topology.yaml    run the strategies once and print the peers
//	convoke explain -c topology.yaml  print every setting and where it comes from
//	convoke listen -c topology.yaml   print the multicast heartbeats that arrive here
//	convoke manifest -c topology.yaml print what Kubernetes needs for this file
//
// Further commands ask the agent that runs on this host, over a socket that only its user may open:
//
//	convoke members -c topology.yaml                          the members, as this node sees them
//	convoke status -c topology.yaml                           the node, and who has the same state
//	convoke keys get|set|delete|list|watch -c topology.yaml   what the members publish of themselves
//	convoke shared get|set|... -c topology.yaml               the map that all members share
//	convoke join|leave|remove -c topology.yaml                call a node, say goodbye, take a member out
//
// It exits with 0 when all went well, 1 when something failed and 2 when it was called wrongly.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one has its usual effect: the process ends at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var f *failure
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		if f.err != nil {
			fmt.Fprintln(stderr, f.err)
		}
		return exitFailed
	default:
		fmt.Fprintf(stderr, "%v\n(run \"convoke --help\" for the commands and their flags)\n", err)
		return exitUsage
	}
}

// failure is an error of a command at work; every other error is one of usage.
type failure struct{ err error } // nil: all is said already

func (f *failure) Error() string {
	if f.err == nil {
		return "failed"
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// failed marks an error of a command at work.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

// errSaid ends a command with exit code 1 when its output has told why.
var errSaid error = &failure{}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:                        "convoke",
		Short:                      "Call the nodes of a service together into one cluster",
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		RunE:                       func(c *cobra.Command, args []string) error { return withoutCommand(c, args) },
	}
	root.AddCommand(newAgent(), newCheck(), newAddrs(), newExplain(), newListen(), newManifest(), newVersion(),
		newMembers(), newStatus(), newKeys(), newShared(), newJoin(), newLeave(), newRemove())
	return root
}

// withoutCommand answers a command line that names no command, or one that does not exist.
func withoutCommand(c *cobra.Command, args []string) error {
	all := commandNames(c)
	if len(args) == 0 {
		return errors.New("a command is missing: " + all)
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %q?", args[0], near[0])
	}
	return fmt.Errorf("unknown command %q, want %s", args[0], all)
}

// commandNames lists the commands below one: "a, b or c".
func commandNames(c *cobra.Command) string {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

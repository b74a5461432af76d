// Package command is the command line of convoke, for programs that differ in the connectors they have.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitConflict = 3 // another process has the name of the node
)

// program is the command line of one program.
type program struct {
	name       string
	connectors *connector.Registry // the default first
}

// Main runs the command line of the process with these connectors, the default first, and returns its exit code. After SIGINT or
// SIGTERM a command ends; a second one ends the process at once.
func Main(name string, kinds ...connector.Kind) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one has its usual effect: the process ends at once.
	context.AfterFunc(ctx, stop)
	return Run(ctx, os.Args[1:], os.Stdout, os.Stderr, name, kinds...)
}

// Run runs one command line, as Main does that of the process.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, name string, kinds ...connector.Kind) int {
	connectors, err := connector.NewRegistry(kinds...)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return program{name, connectors}.runLine(ctx, args, stdout, stderr)
}

// Root returns the command line of a program, as Main runs it: for its manual pages and completions.
func Root(name string, kinds ...connector.Kind) (*cobra.Command, error) {
	connectors, err := connector.NewRegistry(kinds...)
	if err != nil {
		return nil, err
	}
	return program{name, connectors}.newRoot(), nil
}

// runLine runs one command line and returns the exit code.
func (p program) runLine(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := p.newRoot()
	root.SetArgs(append([]string{}, args...)) // not nil, which would be the arguments of the process
	root.SetOut(stdout)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	var f *failure
	var child *childExit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &child):
		return child.code
	case errors.As(err, &f):
		if f.err != nil {
			fmt.Fprintln(stderr, f.err)
		}
		if errors.Is(f.err, gossip.ErrConflict) {
			return exitConflict
		}
		return exitFailed
	default:
		fmt.Fprintf(stderr, "%v\n(run \"%s --help\" for its commands and flags)\n", err, c.CommandPath())
		return exitUsage
	}
}

// failure is an error of a command at work; every other error is one of usage.
type failure struct{ err error } // nil: the output has the reason already

func (f *failure) Error() string {
	if f.err == nil {
		return "failed"
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// failedError marks an error of a command at work.
func failedError(err error) error {
	if err == nil {
		return nil
	}
	return &failure{err}
}

// errReported ends a command with exit code 1 when its output has the reason already.
var errReported error = &failure{}

func (p program) newRoot() *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:                        p.name,
		Short:                      "Call the nodes of a service together into one cluster",
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		RunE: func(c *cobra.Command, args []string) error {
			if version && len(args) == 0 {
				return printVersion(c)
			}
			return withoutCommand(c, args)
		},
	}
	root.Flags().BoolVar(&version, "version", false, "print which build this is")
	root.AddCommand(p.newAgent(), p.newCheck(), newAddrs(), newExplain(), newListen(), newManifest(), newVersion(),
		newMembers(), newStatus(), newUI(), newEvents(), newWait(), newReload(), newKeys(), newShared(), newJoin(), newLeave(), newRemove(),
		newQuorum(), newShards(), newElect(), newMap())
	describeArgs(root)
	return root
}

// describeArgs has each command below one report a wrong number of arguments with what it wants.
func describeArgs(c *cobra.Command) {
	for _, sub := range c.Commands() {
		describeArgs(sub)
		check := sub.Args
		if check == nil || sub.HasSubCommands() {
			continue
		}
		sub.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) == nil {
				return nil
			}
			return fmt.Errorf("%s given, want: %s %s", countNoun(len(args), "argument", "arguments"), c.Parent().CommandPath(), c.Use)
		}
	}
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
	return orList(names)
}

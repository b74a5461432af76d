package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/ops/prom"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// agentFlags are the flags of the agent.
type agentFlags struct {
	config, node, listen, logLevel, socket string
	rejoin                                 bool
	as                                     format
}

func (p program) newAgent() *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use:   "agent -c FILE",
		Short: "Run a node until it is stopped",
		Long: `agent joins the cluster that the file describes and stays in it until SIGTERM or SIGINT;
then it leaves the cluster and exits with 0. A second signal ends it at once.
SIGHUP, and a change of the file, reload it; a file with mistakes is refused and changes nothing.

stdout gets one line for every change of the member list: text, or with -o json one object a line.
The log goes to stderr.

While it runs, members, status, ui, events, wait, reload, keys, shared, join, leave and remove, and with a quorum in the file
quorum, shards, elect and map, ask it over a socket that only its user may open: admin.sock in node.data_dir, or one below $XDG_RUNTIME_DIR or
the directory for temporary files. With the section http in the file the same API is on a port.

When another process takes the name of this node, the agent stays out of the cluster until that process is gone, and
comes back by itself; status, the log and the event name_conflict have the address of that process. Stopped meanwhile, it
ends with 3.

A node that was removed from its cluster ends with 1, and comes back only with --rejoin; do not
make that a habit, or no member can remove the node for longer than until its next start.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return p.runAgent(c, f) },
	}
	configFlag(c, &f.config)
	formatFlag(c, &f.as)
	c.Flags().StringVar(&f.node, "node", "", "`name` of this node, instead of node.name in the file")
	c.Flags().StringVar(&f.listen, "listen", "", "`host:port` to listen on, instead of node.listen in the file")
	c.Flags().StringVar(&f.socket, "socket", "", "`path` of the admin socket")
	c.Flags().BoolVar(&f.rejoin, "rejoin", false, "come back after this node was removed from its cluster")
	c.Flags().StringVar(&f.logLevel, "log-level", "info", "trace, debug, info, warn or error")
	return c
}

// runAgent runs a node until the context of the command is done.
func (p program) runAgent(c *cobra.Command, f agentFlags) error {
	level := hclog.LevelFromString(f.logLevel)
	switch {
	case level == hclog.NoLevel:
		return fmt.Errorf("--log-level %q: want trace, debug, info, warn or error", f.logLevel)
	case f.config == "":
		return errNoFile
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "convoke", Level: level, Output: c.ErrOrStderr()})
	node, err := agent.Start(c.Context(), f.config, agent.Options{
		Strategies: builtin.Registry(), Connectors: p.connectors, Name: f.node, Listen: f.listen, Socket: f.socket, Rejoin: f.rejoin, Log: log,
		Metrics: func(n *agent.Node) http.Handler { return prom.AgentHandler(n) },
	})
	if err != nil {
		return failedError(err)
	}
	defer node.Stop()
	var manager sync.WaitGroup
	manager.Go(func() { notifySystemd(c.Context(), node, log.Named("systemd")) })
	defer manager.Wait()
	printNode(c.Context(), node, newPrinter(c.OutOrStdout(), node.Config().Name, f.as))
	err = node.Err()
	if errors.Is(err, gossip.ErrRemoved) {
		err = fmt.Errorf("%s: %q was removed from the cluster %q and has stopped; to bring it back, start it with convoke agent -c %s --rejoin",
			f.config, node.Config().Name, node.Config().Cluster, f.config)
	}
	return failedError(err)
}

// printNode prints what changes until the node has ended.
func printNode(ctx context.Context, node *agent.Node, out *printer) {
	out.printStarted(node.Config().Cluster)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // what happens on the way out is printed too
	events := node.Supervisor().Events(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		for e := range events {
			out.printEvent(e)
		}
	})
	wg.Go(func() { printMembers(ctx, node, out) })
	<-node.Done()
	cancel()
	wg.Wait()
	if errors.Is(node.Err(), gossip.ErrRemoved) {
		out.printRemoved()
	}
}

// printMembers prints every change of the member list; the first holds this node alone.
func printMembers(ctx context.Context, node *agent.Node, out *printer) {
	last := []string{node.Config().Name}
	out.printMembers(last, last, nil)
	for members := range node.WatchMembers(ctx) {
		var now []string
		for _, m := range members {
			now = append(now, m.Name)
		}
		if joined, left := difference(now, last), difference(last, now); len(joined)+len(left) > 0 {
			out.printMembers(now, joined, left)
		}
		last = now
	}
}

// difference returns what is in a and not in b; both are sorted.
func difference(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool {
		_, found := slices.BinarySearch(b, s)
		return found
	})
}

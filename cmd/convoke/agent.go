package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

// agentFlags are the flags of the agent.
type agentFlags struct {
	config, node, listen, logLevel, socket string
	rejoin                                 bool
	as                                     format
}

func newAgent() *cobra.Command {
	var f agentFlags
	c := &cobra.Command{
		Use:   "agent -c FILE",
		Short: "Run a node until it is told to stop",
		Long: `agent joins the cluster that the file describes and stays in it until SIGTERM or SIGINT;
then it says goodbye to the others and exits with 0. A second signal ends it at once.
SIGHUP, and a change of the file, reload it; a file with mistakes is refused and changes nothing.

stdout gets one line for every change of the member list: text, or with -o json one object a line.
The log goes to stderr.

While it runs, members, status, keys, shared, join, leave and remove ask it over a socket that only its
user may open: admin.sock in node.data_dir, or one below $XDG_RUNTIME_DIR or the directory for temporary files.

A node that was removed from its cluster ends with 1, and comes back only with --rejoin; do not
make that a habit, or nobody can remove the node for longer than until its next start.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return agent(c, f) },
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

// agent runs a node until the context of the command is done.
func agent(c *cobra.Command, f agentFlags) error {
	level := hclog.LevelFromString(f.logLevel)
	if level == hclog.NoLevel {
		return fmt.Errorf("--log-level %q: want trace, debug, info, warn or error", f.logLevel)
	}
	config, err := load(f.config)
	if err != nil {
		return err
	}
	if f.node != "" {
		config.Node.Name = f.node
	}
	if f.listen != "" {
		config.Node.Listen = f.listen
	}
	hangup := make(chan os.Signal, 1) // never read: it keeps a SIGHUP before the supervisor listens from ending the process
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	log := hclog.New(&hclog.LoggerOptions{Name: "convoke", Level: level, Output: c.ErrOrStderr()})
	kind, err := servable(config)
	if err == nil && f.rejoin && !kind.removal {
		err = fmt.Errorf("--rejoin: the connector %s removes nobody for good; start without it", kind.name)
	}
	if err != nil {
		return failed(fmt.Errorf("%s: %w", f.config, err))
	}
	carrier, err := kind.make(config, f.rejoin, log.Named(kind.name))
	if err != nil {
		return failed(fmt.Errorf("%s: %w", f.config, err))
	}
	if !kind.durable && config.Node.DataDir != "" {
		log.Warn("node.data_dir has no effect: this connector keeps nothing across restarts", "connector", kind.name)
	}
	if !kind.durable && config.Node.ForgetAfter != cluster.DefaultNode().ForgetAfter {
		log.Warn("node.forget_after has no effect: this connector has its own rule", "connector", kind.name)
	}
	d := newDesk(config, kind.name, carrier)
	server, err := openDesk(d, f.socket, log)
	if err != nil {
		return failed(fmt.Errorf("%s: %w", f.config, err))
	}
	err = runNode(c.Context(), config, d, share(carrier), newPrinter(c.OutOrStdout(), config.Node.Name, f.as), log)
	close(d.ended)
	if server != nil {
		server.Close()
	}
	if errors.Is(err, gossip.ErrRemoved) {
		err = fmt.Errorf("%s: %q was removed from the cluster %q and has stopped; to bring it back, start it with convoke agent -c %s --rejoin",
			f.config, config.Node.Name, config.Cluster, f.config)
	}
	return failed(err)
}

// runNode runs the supervisor, and tells the printer what changes, until ctx is done, somebody has the node leave, or it is removed:
// then it returns gossip.ErrRemoved.
func runNode(ctx context.Context, config *cluster.Config, d *desk, c *shared, out *printer, log hclog.Logger) error {
	s, err := cluster.New(config, cluster.WithLogger(log), cluster.WithConnector(d.kind, c), cluster.WithReload())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out.started(config.Cluster)
	events := s.Events(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.pass(ctx) })
	wg.Go(func() {
		if watchMembers(ctx, config.Node.Name, c, out) {
			out.removed()
			cancel(gossip.ErrRemoved)
		}
	})
	wg.Go(func() {
		for e := range events {
			out.event(e)
		}
	})
	wg.Go(func() {
		select {
		case <-d.leave:
			cancel(nil)
		case <-ctx.Done():
		}
	})
	err = s.Run(ctx)
	if ctx.Err() != nil {
		err = nil // it was told to stop
	}
	if cause := context.Cause(ctx); errors.Is(cause, gossip.ErrRemoved) {
		err = cause
	}
	cancel(nil)
	wg.Wait()
	return err
}

// openDesk serves the admin socket. An agent that cannot have it where nobody asked for it runs without, and says so; but two with
// one data directory are a mistake.
func openDesk(d *desk, path string, log hclog.Logger) (*admin.Server, error) {
	asked := path != ""
	if !asked {
		path = admin.Paths(d.config.Node.DataDir, d.config.Cluster, d.config.Node.Name)[0]
	}
	server, err := admin.Serve(path, d.answer)
	switch {
	case err == nil:
		log.Debug("serving commands", "socket", path)
		return server, nil
	case asked || d.config.Node.DataDir != "" && errors.Is(err, admin.ErrInUse):
		return nil, err
	}
	log.Warn("no admin socket: commands cannot reach this agent; --socket names another path", "error", err)
	return nil, nil
}

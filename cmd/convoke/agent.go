package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/cluster"
)

// agentFlags are the flags of the agent.
type agentFlags struct {
	config, node, listen, logLevel string
	as                             format
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
The log goes to stderr.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return agent(c, f) },
	}
	configFlag(c, &f.config)
	formatFlag(c, &f.as)
	c.Flags().StringVar(&f.node, "node", "", "`name` of this node, instead of node.name in the file")
	c.Flags().StringVar(&f.listen, "listen", "", "`host:port` to listen on, instead of node.listen in the file")
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
	if err != nil {
		return failed(fmt.Errorf("%s: %w", f.config, err))
	}
	carrier, err := kind.make(config, log.Named(kind.name))
	if err != nil {
		return failed(fmt.Errorf("%s: %w", f.config, err))
	}
	if !kind.durable && config.Node.DataDir != "" {
		log.Warn("node.data_dir has no effect: this connector keeps nothing across restarts", "connector", kind.name)
	}
	out := newPrinter(c.OutOrStdout(), config.Node.Name, f.as)
	return failed(runNode(c.Context(), config, kind.name, share(carrier), out, log))
}

// runNode runs the supervisor, and tells the printer what changes, until ctx is done.
func runNode(ctx context.Context, config *cluster.Config, name string, c *shared, out *printer, log hclog.Logger) error {
	s, err := cluster.New(config, cluster.WithLogger(log), cluster.WithConnector(name, c), cluster.WithReload())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out.started(config.Cluster)
	events := s.Events(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.pass(ctx) })
	wg.Go(func() { watchMembers(ctx, config.Node.Name, c, out) })
	wg.Go(func() {
		for e := range events {
			out.event(e)
		}
	})
	err = s.Run(ctx)
	if ctx.Err() != nil {
		err = nil // it was told to stop
	}
	cancel()
	wg.Wait()
	return err
}

// Package agent runs one node of a cluster from one file, within a service or as the command convoke does: the supervisor, the
// connector that the file names, probes, and the socket through which `convoke status` and its kind reach the process.
//
//	node, err := agent.Start(ctx, "topology.yaml", agent.Options{Strategies: builtin.Registry()})
//	if err != nil {
//		return err // the file has mistakes, each with its place
//	}
//	defer node.Stop()
//	err = node.Formed(ctx) // waits for the others; its error names what is missing
package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/internal/pacedlog"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/strategy"
)

// defaultStopTimeout leaves room for the quorum, a third, and for what the supervisor grants each part: strategies, leave, connectors.
const defaultStopTimeout = 30 * time.Second

// Options are what a file cannot give. Only Strategies is required.
type Options struct {
	// Strategies are those that the file may name: builtin.Registry() has all of convoke's, and links what they need; a registry of
	// one's own keeps a program small.
	Strategies *strategy.Registry
	// Connectors are those that the file may name, the default first; nil means gossip alone. Each needs a New.
	Connectors *connector.Registry
	// Log receives what happens, through a queue of 1,024 lines: a writer that blocks delays nothing, and lines beyond are counted. nil means
	// warnings and errors on stderr. A kind of lines that keeps coming gets rarer, and each line then has the number of those that were not
	// logged: at most 50 of a kind in an hour. Lines of level DEBUG and TRACE all come.
	Log hclog.Logger
	// Name and Listen replace node.name and node.listen of the file, unless they are "".
	Name, Listen string
	// Socket is the path of the admin socket; "" means admin.sock in node.data_dir or, without one, a path that the commands find by the
	// names of cluster and node. A node that cannot have the default one runs without it and logs that.
	Socket string
	// Keys are what this node publishes of itself from the first moment on: no member sees it without them. Change them later with
	// Gossip().Set. A connector that publishes no keys refuses them.
	Keys map[string]string
	// Mounts are further paths of the API, such as one for metrics: on the admin socket, the section http and Node.Handler.
	Mounts []ops.Mount
	// Rejoin brings back a node that was removed from its cluster.
	Rejoin bool
	// Metrics makes the handler of /metrics, for which it is called once, before the node runs. The one of package ops/prom is
	//
	//	func(n *agent.Node) http.Handler { return prom.AgentHandler(n) }
	//
	// nil means that there are none: a program that has a registry of its own registers prom.OfAgent there, and one that has no metrics does not
	// link what they need.
	Metrics func(*Node) http.Handler
	// TracerProvider traces lookups, rounds, dials, handshakes, reloads and commits; nil traces nothing. docs/monitoring.md lists the spans.
	TracerProvider trace.TracerProvider
	// StopTimeout is how long [Node.Stop] waits at most, of which a third is for the quorum; 0 means 30 s. Less than 0 is an error.
	StopTimeout time.Duration
}

// Start starts a node and returns at once: [Node.Formed] waits for the others. The node runs until ctx ends or Stop is called; it
// follows changes of the file, at SIGHUP at once. A file with mistakes, an Options.Socket that cannot be served, and a data
// directory that another agent uses are errors; a port in use is not: that is logged and tried again.
func Start(ctx context.Context, file string, o Options) (_ *Node, err error) {
	if o.Strategies == nil {
		return nil, errors.New("agent: Options.Strategies is missing: give builtin.Registry(), or a registry of those that your files name")
	}
	if o.StopTimeout < 0 {
		return nil, fmt.Errorf("agent: Options.StopTimeout is %v: give a time above 0, or 0 for %v", o.StopTimeout, defaultStopTimeout)
	}
	if o.Log == nil {
		o.Log = hclog.New(&hclog.LoggerOptions{Name: "convoke", Level: hclog.Warn, Output: os.Stderr})
	}
	lines := pacedlog.New(o.Log)
	defer func() {
		if err != nil {
			lines.Close()
		}
	}()
	o.Log = lines.Logger()
	o.StopTimeout = cmp.Or(o.StopTimeout, defaultStopTimeout)
	config, err := loadFile(file, &o)
	if err != nil {
		return nil, err
	}
	n, err := newNode(file, config, o)
	if err != nil {
		return nil, err
	}
	n.lines = lines
	ctx, n.cancel = context.WithCancelCause(ctx)
	n.over = ctx.Done()
	if n.server, err = n.serveAdmin(); err != nil {
		n.cancel(nil)
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	// Never read: until the supervisor listens, SIGHUP must not end the process.
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() { // Stop and Done wait for it
		defer signal.Stop(hangup)
		n.runSupervisor(ctx)
	}()
	return n, nil
}

// loadFile reads the file and puts the options into force that replace its settings.
func loadFile(file string, o *Options) (*cluster.Config, error) {
	if o.Connectors == nil {
		registry, err := connector.NewRegistry(gossip.Kind)
		if err != nil {
			return nil, err
		}
		o.Connectors = registry
	}
	config, err := cluster.Load(file, cluster.LoadOptions{Strategies: o.Strategies, Connectors: o.Connectors})
	if err != nil {
		return nil, err
	}
	config.Node.Name = cmp.Or(o.Name, config.Node.Name)
	config.Node.Listen = cmp.Or(o.Listen, config.Node.Listen)
	if err := config.Node.Validate(); err != nil { // not the file's mistake, so it has no place there
		return nil, err
	}
	return config, nil
}

// newNode makes the connectors that the topologies name, and the supervisor. Nothing runs yet.
func newNode(file string, config *cluster.Config, o Options) (*Node, error) {
	n := &Node{
		file: file, config: config, log: o.Log, socket: o.Socket, stopTimeout: o.StopTimeout,
		leave: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
	}
	options := []cluster.Option{
		cluster.WithLogger(o.Log), cluster.WithTracerProvider(o.TracerProvider), cluster.WithReload(), cluster.WithHonoured(cluster.SectionQuorum, cluster.SectionGroups, cluster.SectionHTTP),
	}
	connectors, err := n.makeConnectors(o)
	if err != nil {
		return nil, err
	}
	options = append(options, connectors...)
	if config.Quorum != nil {
		n.quorum = newQuorumPart(config, o.Log, o.StopTimeout/3)
		n.quorum.config.TracerProvider = o.TracerProvider
	}
	if config.HTTP != nil {
		if n.web, err = newWebServer(*config.HTTP, o.Log.Named("http")); err != nil {
			return nil, fmt.Errorf("%s: http: %w", file, err)
		}
	}
	if n.supervisor, err = cluster.New(config, options...); err != nil {
		return nil, err
	}
	mounts := o.Mounts
	if o.Metrics != nil {
		mounts = append(slices.Clone(mounts), ops.Mount{Pattern: "GET /metrics", Access: ops.Probes, Handler: o.Metrics(n)})
	}
	n.api, err = n.newAPI(mounts)
	return n, err
}

// makeConnectors makes the connectors that the topologies name, each once.
func (n *Node) makeConnectors(o Options) (options []cluster.Option, err error) {
	made := make(map[string]bool)
	for _, t := range n.config.Topologies {
		kind, ok := o.Connectors.Kind(t.Connector)
		switch {
		case !ok:
			return nil, fmt.Errorf("agent: topology %q: Options.Connectors has no connector %q", t.Name, t.Connector)
		case kind.New == nil:
			return nil, fmt.Errorf("agent: topology %q: the connector %q of Options.Connectors has no New", t.Name, kind.Name)
		case made[kind.Name]:
			continue
		}
		made[kind.Name] = true
		c, err := kind.New(n.config.Node, connector.Env{
			Log: o.Log.Named(kind.Name), Rejoin: o.Rejoin, Keys: o.Keys, TracerProvider: o.TracerProvider,
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.file, err)
		}
		if n.connector == nil || kind.Listens {
			n.connector, n.kind = c, kind.Name
		}
		options = append(options, cluster.WithConnector(kind.Name, c))
	}
	return options, nil
}

// serveAdmin opens the admin socket. A node that cannot have the default one runs without; but two with one data directory are a mistake.
func (n *Node) serveAdmin() (*admin.Server, error) {
	asked, path := n.socket != "", n.socket
	if !asked {
		path = admin.Paths(n.config.Node.DataDir, n.config.Node.Cluster, n.config.Node.Name)[0]
	}
	server, err := admin.Serve(path, n.api.Handler(ops.Always(ops.Write)), n.log)
	switch {
	case err == nil:
		n.log.Debug("serving commands", "socket", path)
		if n.unpublish, err = admin.Publish(path, n.config.Node.Cluster, n.config.Node.Name); err != nil {
			n.log.Debug("commands find this node by its file or its socket alone", "error", err)
		}
		return server, nil
	case asked || n.config.Node.DataDir != "" && errors.Is(err, admin.ErrInUse):
		return nil, err
	}
	n.log.Warn("no admin socket: commands cannot reach this node; another path can be set", "error", err)
	return nil, nil
}

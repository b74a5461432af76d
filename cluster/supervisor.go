package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

const (
	stopGrace    = 5 * time.Second // for what was told to stop, before it is named in the log
	leaveTimeout = 5 * time.Second
)

// Supervisor runs the strategies of a configuration and connects what they find. Make one
// with [New]. All methods are safe for concurrent use.
type Supervisor struct {
	log              hclog.Logger
	connectors       map[string]connector.Connector
	defaultConnector string
	connects         map[string]connector.ConnectFunc
	disconnects      map[string]connector.DisconnectFunc
	lists            map[string]connector.ListFunc
	resolver         strategy.Resolver
	reload           bool
	node             Node // as it was at the start

	feed    feed
	tasks   tasks
	notices notices

	mu         sync.Mutex // never held while foreign code is called
	ctx        context.Context
	config     *Config
	topologies map[string]*topology
	groups     map[string]*group
	changed    chan struct{} // closed when readiness may have changed; nil if nobody waits
}

// New checks a configuration against what the options provide. It does no I/O. Every mistake is
// reported.
func New(c *Config, opts ...Option) (*Supervisor, error) {
	s := &Supervisor{
		log:         hclog.NewNullLogger(),
		connectors:  make(map[string]connector.Connector),
		connects:    make(map[string]connector.ConnectFunc),
		disconnects: make(map[string]connector.DisconnectFunc),
		lists:       make(map[string]connector.ListFunc),
		topologies:  make(map[string]*topology),
		groups:      make(map[string]*group),
	}
	for _, o := range opts {
		o(s)
	}
	s.feed.init()
	s.notices.init()
	if err := s.check(c); err != nil {
		return nil, err
	}
	if s.reload && c.path == "" {
		return nil, errors.New("reload needs a configuration that was read from a file")
	}
	s.config, s.node = c, c.Node
	for _, t := range c.Topologies {
		s.topologies[t.Name] = newTopology(s, t)
	}
	return s, nil
}

// check reports what a configuration needs and the options do not provide.
func (s *Supervisor) check(c *Config) error {
	errs := []error{c.Validate()}
	names := Vocabulary{
		Connectors: slices.Collect(maps.Keys(s.connectors)),
		Connect:    slices.Collect(maps.Keys(s.connects)),
		Disconnect: slices.Collect(maps.Keys(s.disconnects)),
		List:       slices.Collect(maps.Keys(s.lists)),
	}
	seen := make(map[string]bool)
	for i := range c.Topologies {
		t := &c.Topologies[i]
		fail := func(format string, args ...any) {
			at := strictyaml.Errorf(c.file, t.node, "topology %q: %s", t.Name, fmt.Sprintf(format, args...))
			at.Msg = strings.TrimSpace(at.Msg)
			errs = append(errs, at)
		}
		errs = append(errs, t.checkNames(c.file, names), t.Validate())
		if seen[t.Name] {
			fail("named twice")
		}
		seen[t.Name] = true
		if t.Config == nil {
			fail("it has no strategy")
		}
		if t.Connector == "" && s.defaultConnector == "" && (t.Connect == "" || t.List == "") {
			fail("it needs a connector, or connect and list callbacks")
		}
	}
	return strictyaml.Join(errs...)
}

// Run runs until ctx is done, says goodbye and returns when everything has stopped. It returns the cause
// of ctx's end. Call it once.
func (s *Supervisor) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.ctx != nil {
		s.mu.Unlock()
		return errors.New("the supervisor was run before")
	}
	strategies, stopStrategies := context.WithCancel(ctx)
	defer stopStrategies()
	s.ctx = strategies
	s.mu.Unlock()

	life, stopConnectors := context.WithCancel(context.WithoutCancel(ctx))
	defer stopConnectors()
	for name, c := range s.connectors {
		if r, ok := c.(connector.Runner); ok {
			s.tasks.start("connector "+name, func() { s.runConnector(life, name, r) })
		}
	}
	s.mu.Lock()
	s.logWarnings(s.config)
	for _, t := range s.topologies {
		t.start()
	}
	s.mu.Unlock()
	if s.reload {
		s.tasks.start("reload", func() { s.watchConfig(strategies) })
	}
	s.keepLogging(strategies)

	// Strategies and dials first, then goodbye, then the connectors themselves.
	s.tasks.wait(s.log, stopGrace, func(name string) bool { return !strings.HasPrefix(name, "connector ") })
	s.leave(life)
	stopConnectors()
	s.tasks.wait(s.log, stopGrace, nil)
	s.feed.close()
	return context.Cause(ctx)
}

// logWarnings logs what [Config.Warnings] reports.
func (s *Supervisor) logWarnings(c *Config) {
	if joined, ok := c.Warnings().(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			s.log.Warn("a setting works and has a consequence that you may not expect", "error", err)
		}
	}
}

// leave says goodbye on every connector that can.
func (s *Supervisor) leave(ctx context.Context) {
	var wg sync.WaitGroup
	for name, c := range s.connectors {
		l, ok := c.(connector.Leaver)
		if !ok {
			continue
		}
		wg.Go(func() {
			_, err := call(s, ctx, leaveTimeout, "leave on connector "+name, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, l.Leave(ctx)
			})
			if err != nil {
				s.log.Warn("left without a goodbye", "connector", name, "error", err)
			}
		})
	}
	wg.Wait()
}

// runConnector keeps a connector running.
func (s *Supervisor) runConnector(ctx context.Context, name string, r connector.Runner) {
	var b backoff
	for {
		started := time.Now()
		err := guard(func() error { return r.Run(ctx) })
		if ctx.Err() != nil {
			return
		}
		s.log.Error("connector stopped and is restarted", "connector", name, "error", err)
		if !b.wait(ctx, time.Since(started)) {
			return
		}
	}
}

// Apply puts another configuration into force. Topologies that are equal in both are not
// touched; one whose strategy changed hands over when the new strategy has its first answer. The cluster
// ID cannot change, and the node's own settings are those of the start.
func (s *Supervisor) Apply(c *Config) error {
	if err := s.check(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Cluster != s.config.Cluster {
		return strictyaml.Errorf(c.file, c.root, "cluster: a running node cannot change from cluster %q to %q; restart it", s.config.Cluster, c.Cluster)
	}
	if !equalNode(c.node, s.config.node) {
		s.log.Warn("settings of the node take effect at its next start")
	}
	s.config = c
	s.logWarnings(c)
	kept := make(map[string]bool)
	for _, t := range c.Topologies {
		kept[t.Name] = true
		s.applyTopology(t)
	}
	for name, t := range s.topologies {
		if !kept[name] {
			t.remove()
			delete(s.topologies, name)
			s.emit(Event{Kind: TopologyRemoved, Topology: name})
		}
	}
	s.notifyReady()
	return nil
}

// applyTopology adds or changes one topology. mu is held.
func (s *Supervisor) applyTopology(c Topology) {
	t := s.topologies[c.Name]
	switch {
	case t == nil:
		t = newTopology(s, c)
		s.topologies[c.Name] = t
		if s.ctx != nil {
			t.start()
		}
		s.emit(Event{Kind: TopologyAdded, Topology: c.Name})
	case t.change(c):
		s.emit(Event{Kind: TopologyChanged, Topology: c.Name})
	}
}

func equalNode(a, b Node) bool {
	return a.Name == b.Name && a.Listen == b.Listen && a.Advertise == b.Advertise &&
		a.DataDir == b.DataDir && a.ForgetAfter == b.ForgetAfter && a.TLS == b.TLS && slices.Equal(a.Keys, b.Keys)
}

// self returns how this node is named towards a topology: what its connector knows, else what the
// configuration says.
func (s *Supervisor) self(c connector.Connector) []peer.Peer {
	if r, ok := c.(connector.SelfReporter); ok {
		return r.Self()
	}
	return selfOf(s.node)
}

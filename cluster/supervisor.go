package cluster

import (
	"cmp"
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
	optionErr        error                // of the options; New returns it
	node             connector.NodeConfig // as it was at the start

	feed    feed
	tasks   tasks
	notices notices

	mu         sync.Mutex // never held while foreign code is called
	ctx        context.Context
	config     *Config
	topologies map[string]*topology
	groups     map[string]*group
	changed    chan struct{} // closed when the status may have changed; nil if nothing waits for it
	formed     bool          // all topologies had formed at one moment
	ended      bool          // Run has ended, or is about to
}

// New checks a configuration against what the options provide: what [Load] checks, that each connector was made for the node of the
// configuration, and that the optional settings of the node are honoured by one of them. It uses no network. Every mistake is
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
	if c == nil {
		return nil, errors.New("the configuration is nil")
	}
	for i, o := range opts {
		if o == nil {
			s.optionError("option %d of %d is nil", i+1, len(opts))
			continue
		}
		o(s)
	}
	s.feed.init()
	s.notices.init()
	if s.optionErr != nil {
		return nil, s.optionErr
	}
	if err := s.check(c); err != nil {
		return nil, err
	}
	if err := s.checkMade(c); err != nil {
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
	errs := []error{c.place(c.Node.Validate())}
	if errs[0] == nil {
		errs = append(errs, cmp.Or(c.checkNode(), s.checkHonoured(c)))
	}
	names := registeredNames{
		connectors: append([]string{}, slices.Sorted(maps.Keys(s.connectors))...),
		connect:    slices.Sorted(maps.Keys(s.connects)),
		disconnect: slices.Sorted(maps.Keys(s.disconnects)),
		list:       slices.Sorted(maps.Keys(s.lists)),
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
	s.reportLoop(strategies)
	s.mu.Lock()
	s.ended = true
	s.notifyStatus()
	s.mu.Unlock()

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
// ID cannot change, and the node's own settings are those of the start; but a node that could not start with the configuration
// refuses it.
func (s *Supervisor) Apply(c *Config) error {
	if c == nil {
		return errors.New("the configuration is nil")
	}
	if err := s.check(c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.config.Node.Cluster; c.Node.Cluster != old {
		return strictyaml.Errorf(c.file, c.root, "cluster: a running node cannot change from cluster %q to %q; restart it", old, c.Node.Cluster)
	}
	if !c.node.Equal(s.config.node) {
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
	s.notifyStatus()
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

// self returns how this node is named towards a topology: what its connector knows, else what the
// configuration says.
func (s *Supervisor) self(c connector.Connector) []peer.Peer {
	if r, ok := c.(connector.SelfReporter); ok {
		return r.Self()
	}
	return selfOf(s.node)
}

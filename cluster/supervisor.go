package cluster

import (
	"cmp"
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
)

// Supervisor runs the strategies of a configuration and connects what they find. Make one with [New]. All methods are safe for
// concurrent use.
type Supervisor struct {
	shared
	reload    bool
	reloads   reloads
	honoured  []string // sections of the file; see WithHonoured
	optionErr error    // of the options; New returns it

	file      connector.NodeConfig // the node as the file of the start has it
	reloading sync.Mutex           // held while connectors take over another node

	applications chan application // read by the loop of Run; unbuffered
	reloadCalls  chan chan error  // read by watchConfig; unbuffered
	stopped      chan struct{}    // closed when that loop has ended
}

// New checks a configuration against what the options provide: what [Load] checks, that each connector was made for the node of the
// configuration, and that the optional settings of the node are honoured by one of them. It uses no network. Every mistake is
// reported.
func New(c *Config, opts ...Option) (*Supervisor, error) {
	if c == nil {
		return nil, errors.New("the configuration is nil")
	}
	s := &Supervisor{applications: make(chan application), reloadCalls: make(chan chan error), stopped: make(chan struct{})}
	s.log, s.registry = hclog.NewNullLogger(), newRegistry()
	if err := s.applyOptions(opts); err != nil {
		return nil, err
	}
	if err := s.checkConfig(c); err != nil {
		return nil, err
	}
	if err := s.checkMade(c); err != nil {
		return nil, err
	}
	if s.reload && c.path == "" {
		return nil, errors.New("reload needs a configuration that was read from a file")
	}
	s.node, s.file = c.Node, c.node
	s.reporter.init(s.log)
	s.feed.init()
	s.board.init(c, &s.registry)
	s.reloads.note(nil, time.Now())
	return s, nil
}

// applyOptions applies options and returns what is wrong with them.
func (s *Supervisor) applyOptions(opts []Option) error {
	for i, o := range opts {
		if o == nil {
			s.optionError("option %d of %d is nil", i+1, len(opts))
			continue
		}
		o(s)
	}
	return s.optionErr
}

// checkConfig reports what a configuration needs and the options do not provide.
func (s *Supervisor) checkConfig(c *Config) error {
	errs := []error{c.place(c.Node.Validate())}
	if errs[0] == nil {
		errs = append(errs, cmp.Or(c.checkNode(), s.checkHonoured(c)))
	}
	errs = append(errs, s.checkSections(c))
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

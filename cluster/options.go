package cluster

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/strategy"
)

// Option gives a [Supervisor] what a file cannot. [New] reports what is wrong with one.
type Option func(*Supervisor)

// WithLogger sets the logger; without it, or with nil, nothing is logged.
func WithLogger(log hclog.Logger) Option {
	return func(s *Supervisor) {
		if log != nil {
			s.log = log
		}
	}
}

// WithConnector registers a connector under a name. The first one given serves the topologies that
// name none. If it is a [connector.Runner], the supervisor runs it. A nil connector, a [connector.Funcs] without
// a callback that is required and a name that is empty or taken are errors.
func WithConnector(name string, c connector.Connector) Option {
	return func(s *Supervisor) {
		if err := checkConnector(c); err != nil {
			s.optionError("connector %q: %w", name, err)
			return
		}
		if s.defaultConnector == "" {
			s.defaultConnector = name
		}
		register(s, "connector", s.connectors, name, c)
	}
}

// WithConnect registers a callback that a topology may name under connect.
func WithConnect(name string, f connector.ConnectFunc) Option {
	return func(s *Supervisor) { registerCallback(s, "connect", s.connects, name, f, f == nil) }
}

// WithDisconnect registers a callback that a topology may name under disconnect.
func WithDisconnect(name string, f connector.DisconnectFunc) Option {
	return func(s *Supervisor) { registerCallback(s, "disconnect", s.disconnects, name, f, f == nil) }
}

// WithList registers a callback that a topology may name under list.
func WithList(name string, f connector.ListFunc) Option {
	return func(s *Supervisor) { registerCallback(s, "list", s.lists, name, f, f == nil) }
}

// WithResolver sets the resolver that strategies get in their Env; without it, or with nil, that is net.DefaultResolver.
func WithResolver(r strategy.Resolver) Option {
	return func(s *Supervisor) { s.resolver = r }
}

// WithHonoured names the sections of the file that the program honours by itself: SectionQuorum, SectionGroups, SectionHTTP. A
// configuration with a section that is honoured by no part of the program is an error.
func WithHonoured(sections ...string) Option {
	return func(s *Supervisor) {
		for _, name := range sections {
			if !slices.Contains([]string{SectionQuorum, SectionGroups, SectionHTTP}, name) {
				s.optionError("section %q: want %s, %s or %s", name, SectionQuorum, SectionGroups, SectionHTTP)
			}
		}
		s.honoured = append(s.honoured, sections...)
	}
}

// WithReload makes Run read the configuration file again when it changes (looked at every 2 s)
// and on SIGHUP. A file with mistakes is logged and changes nothing. The configuration must
// come from [Load].
func WithReload() Option {
	return func(s *Supervisor) { s.reload = true }
}

func registerCallback[F any](s *Supervisor, what string, all map[string]F, name string, f F, isNil bool) {
	if isNil {
		s.optionError("%s callback %q: it is nil", what, name)
		return
	}
	register(s, what+" callback", all, name, f)
}

// register adds what an option gives under a name of its own.
func register[T any](s *Supervisor, what string, all map[string]T, name string, v T) {
	switch _, taken := all[name]; {
	case name == "":
		s.optionError("%s: it has no name", what)
	case taken:
		s.optionError("%s %q: given twice", what, name)
	default:
		all[name] = v
	}
}

func (s *Supervisor) optionError(format string, args ...any) {
	s.optionErr = errors.Join(s.optionErr, fmt.Errorf(format, args...))
}

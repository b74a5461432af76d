package cluster

import (
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/strategy"
)

// Option gives a [Supervisor] what a file cannot.
type Option func(*Supervisor)

// WithLogger sets the logger; without it nothing is logged.
func WithLogger(log hclog.Logger) Option {
	return func(s *Supervisor) { s.log = log }
}

// WithConnector makes a connector known under a name. The first one given serves the topologies that
// name none. If it has a life of its own ([connector.Runner]), the supervisor runs it.
func WithConnector(name string, c connector.Connector) Option {
	return func(s *Supervisor) {
		if s.defaultConnector == "" {
			s.defaultConnector = name
		}
		s.connectors[name] = c
	}
}

// WithConnect makes a callback known that a topology may name under connect.
func WithConnect(name string, f connector.ConnectFunc) Option {
	return func(s *Supervisor) { s.connects[name] = f }
}

// WithDisconnect makes a callback known that a topology may name under disconnect.
func WithDisconnect(name string, f connector.DisconnectFunc) Option {
	return func(s *Supervisor) { s.disconnects[name] = f }
}

// WithList makes a callback known that a topology may name under list.
func WithList(name string, f connector.ListFunc) Option {
	return func(s *Supervisor) { s.lists[name] = f }
}

// WithResolver sets the resolver that strategies are lent; the default is net.DefaultResolver.
func WithResolver(r strategy.Resolver) Option {
	return func(s *Supervisor) { s.resolver = r }
}

// WithReload makes Run read the configuration file again when it changes (looked at every 2 s)
// and on SIGHUP. A file with mistakes is logged and changes nothing. The configuration must
// come from [Load].
func WithReload() Option {
	return func(s *Supervisor) { s.reload = true }
}

// Package local finds the nodes on this machine. Each node keeps a small registration file in
// a common directory and holds a lock on it. The lock dies with the process, however it
// ends, so a file without a lock is that of a dead node.
package local

import (
	"context"

	"github.com/goconvoke/convoke/strategy"
)

// Kind registers the strategy as "local".
var Kind = strategy.Kind[Config]{
	Name:    "local",
	Doc:     "nodes of one user on one machine, without any network",
	Default: DefaultConfig(),

	FormerNames: []string{"local_epmd"},

	New: newStrategy,
}

// newStrategy makes the strategy. A node registers the addresses of env.Self as soon as they are
// known and again when they change; it finds others meanwhile. A node is found under the first of its
// addresses. Registrations that share an address with env.Self are this node's own.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		return runNode(ctx, c, env, out)
	}), nil
}

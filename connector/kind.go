package connector

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"
)

// Kind registers a connector under a name, as strategy.Kind does for strategies. It is plain data: see [NewRegistry].
type Kind struct {
	Name string // as `connector:` names it in a topology
	Doc  string // one line for people

	// Listens reports whether the connector listens on NodeConfig.Listen: a file can name one such connector only.
	Listens bool

	// Check is required: it reports what of a node the connector cannot honour, and what it could not start with, placed in the file: see
	// [NodeConfig.Refuse]. It may read the files that the node names, and uses no network. It is called with what
	// [NodeConfig.Validate] accepts. Checks of files, cluster.New and New all use it.
	Check func(NodeConfig) error

	// New makes the connector; it does no I/O beyond that of Check. A connector that honours optional settings is a
	// [Configured] one. Without New the program makes the connector and gives it to cluster.WithConnector.
	New func(NodeConfig, Env) (Connector, error)
}

// Env is what the host lends a connector.
type Env struct {
	// Log receives what the connector reports; nil discards it.
	Log hclog.Logger
	// TracerProvider traces what the connector does, as far as it traces anything; nil traces nothing.
	TracerProvider trace.TracerProvider
	// Rejoin brings back a node that was removed from its cluster. A connector that cannot remove members refuses it.
	Rejoin bool
	// Keys are what this node publishes of itself from the first moment on: no member sees it without them. A connector that publishes no
	// keys refuses them.
	Keys map[string]string
}

// Own returns the kind of a connector that the program makes by itself and that honours no optional setting, as one of
// callbacks does.
func Own(name string) Kind {
	return Kind{
		Name:  name,
		Doc:   "a connector of the program",
		Check: func(n NodeConfig) error { return n.Refuse(name, optionalSettings()...) },
	}
}

// Registry maps names to kinds. It is immutable; there is no global one.
type Registry struct {
	kinds map[string]Kind
	names []string // as they were given: the first is the default
}

// NewRegistry returns a registry of these kinds; the first serves the topologies that name no connector. A name that is empty
// or taken, or a kind without Check, is an error.
func NewRegistry(kinds ...Kind) (*Registry, error) { return (&Registry{}).With(kinds...) }

// With returns a registry that has these kinds too, with the same default. A name that is empty or taken, or a kind without
// Check, is an error.
func (r *Registry) With(kinds ...Kind) (*Registry, error) {
	more := &Registry{maps.Clone(r.kinds), slices.Clone(r.names)}
	if more.kinds == nil {
		more.kinds = make(map[string]Kind, len(kinds))
	}
	var errs []error
	for _, k := range kinds {
		switch _, taken := more.kinds[k.Name]; {
		case k.Name == "":
			errs = append(errs, errors.New("a connector without a name"))
		case taken:
			errs = append(errs, fmt.Errorf("two connectors are named %q", k.Name))
		case k.Check == nil:
			errs = append(errs, fmt.Errorf("connector %q has no Check: one that honours no optional setting takes that of connector.Own(%q)", k.Name, k.Name))
		default:
			more.kinds[k.Name] = k
			more.names = append(more.names, k.Name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return more, nil
}

// Names returns the names of all kinds, the default first.
func (r *Registry) Names() []string { return slices.Clone(r.names) }

// Kind returns the kind of a name; "" means the default. It reports whether there is one.
func (r *Registry) Kind(name string) (Kind, bool) {
	if name == "" && len(r.names) > 0 {
		name = r.names[0]
	}
	k, ok := r.kinds[name]
	return k, ok
}

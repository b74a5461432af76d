package strategy

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// Kind registers a way to find peers under a name; C is its configuration, a struct with
// yaml tags. It is plain data: see [NewRegistry].
type Kind[C any] struct {
	Name string // as `strategy:` names it in a topology
	Doc  string // one line for people

	// Default is copied before the configuration is decoded over it. It must not share
	// pointers, maps or slices that decoding could write to.
	Default C

	// FormerNames are names that other software gives this strategy, and FormerKeys are its settings there, each with the key of
	// today or, where there is none, what to do instead. They are not accepted: an error points to the one of today.
	FormerNames []string
	FormerKeys  map[string]string

	// New makes a strategy. It is called by [Configured.New] alone, with a configuration that was validated and an Env
	// without a nil field, so it checks neither. It does no I/O, so that a configuration can be checked
	// anywhere. C may have a method Validate() error; it is called once, before New, and its
	// errors may be placed with [At]. It may have a method Warnings() error too, for settings that
	// work and that a reader would not choose if he saw what follows, such as answers that are never complete; and a method
	// FixedPeers() []string with the host:port of all peers that it ever finds, if that follows from the configuration alone.
	New func(C, Env) (Strategy, error)
}

// AnyKind is a [Kind] of any configuration type.
type AnyKind interface {
	name() string
	doc() string
	formerNames() []string
	hasNew() bool
	configure(config *yaml.Node, src Source) (*Configured, error)
}

// Source is where a configuration comes from.
type Source struct {
	File string // for error messages
	// LookupEnv resolves ${NAME} in values; nil means that there is no environment.
	LookupEnv func(name string) (string, bool)
	// At is where the strategy is named, for mistakes that have no place of their own; or nil.
	At *yaml.Node
}

// Configured is a strategy's configuration, decoded, checked and ready to start.
type Configured struct {
	Kind   string
	Config any // the C of the kind

	warnings error
	node     *yaml.Node
	new      func(Env) (Strategy, error)
}

// New makes the strategy.
func (c *Configured) New(env Env) (Strategy, error) {
	s, err := c.new(env.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("strategy %s: %w", c.Kind, err)
	}
	return s, nil
}

// Equal reports whether both find the same peers in the same way.
func (c *Configured) Equal(o *Configured) bool {
	return c.Kind == o.Kind && reflect.DeepEqual(c.Config, o.Config)
}

// Warnings joins settings that work and have consequences, one error with its place for each; nil if there is nothing.
func (c *Configured) Warnings() error { return c.warnings }

// FixedPeers returns the host:port of all peers that the strategy ever finds, nil if that does not follow from its configuration. A host may be
// a name, which may stand for several peers.
func (c *Configured) FixedPeers() []string {
	if fixed, ok := c.Config.(interface{ FixedPeers() []string }); ok {
		return fixed.FixedPeers()
	}
	return nil
}

// Node returns the YAML that was decoded, nil if there was none.
func (c *Configured) Node() *yaml.Node { return c.node }

// At places an error of a Validate method at a key of the configuration, such as "interval" or
// "hosts[2]", so that it is reported with file, line and column. It returns nil for a nil error.
func At(key string, err error) error { return strictyaml.At(key, err) }

func (k Kind[C]) name() string { return k.Name }
func (k Kind[C]) doc() string  { return k.Doc }
func (k Kind[C]) hasNew() bool { return k.New != nil }

func (k Kind[C]) formerNames() []string { return k.FormerNames }

func (k Kind[C]) configure(config *yaml.Node, src Source) (*Configured, error) {
	c := k.Default
	if err := strictyaml.DecodeRenamed(config, &c, src.File, src.LookupEnv, src.At, k.FormerKeys); err != nil {
		return nil, err
	}
	made := k.configured(c)
	made.node = config
	if w, ok := made.Config.(interface{ Warnings() error }); ok {
		at := config
		if at == nil {
			at = src.At
		}
		made.warnings = strictyaml.Warnings(at, src.File, w.Warnings())
	}
	return made, nil
}

// Configure makes a configuration in Go instead of YAML, with the same checks.
func (k Kind[C]) Configure(c C) (*Configured, error) {
	if err := strictyaml.Decode(nil, &c, "strategy "+k.Name, nil, nil); err != nil {
		return nil, err
	}
	return k.configured(c), nil
}

func (k Kind[C]) configured(c C) *Configured {
	return &Configured{
		Kind:   k.Name,
		Config: c,
		new:    func(env Env) (Strategy, error) { return k.New(c, env) },
	}
}

// Registry maps names to kinds. It is immutable; there is no global one.
type Registry struct {
	kinds  map[string]AnyKind
	former map[string]string // names elsewhere, as formerName writes them, to names here
}

// NewRegistry returns a registry of these kinds. A name that is empty or taken, or a kind without New, is an error.
func NewRegistry(kinds ...AnyKind) (*Registry, error) {
	return (&Registry{}).With(kinds...)
}

// With returns a registry that knows these kinds too. A name that is empty or taken, or a kind without New, is an error.
func (r *Registry) With(kinds ...AnyKind) (*Registry, error) {
	all := maps.Clone(r.kinds)
	if all == nil {
		all = make(map[string]AnyKind, len(kinds))
	}
	former := maps.Clone(r.former)
	if former == nil {
		former = make(map[string]string)
	}
	var errs []error
	for _, k := range kinds {
		if k == nil {
			errs = append(errs, errors.New("a strategy is nil"))
			continue
		}
		switch _, taken := all[k.name()]; {
		case k.name() == "":
			errs = append(errs, errors.New("a strategy without a name"))
		case taken:
			errs = append(errs, fmt.Errorf("two strategies are named %q", k.name()))
		case !k.hasNew():
			errs = append(errs, fmt.Errorf("strategy %q has no New", k.name()))
		default:
			all[k.name()] = k
			errs = append(errs, addFormer(former, k)...)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Registry{all, former}, nil
}

// addFormer adds the names by which other software knows a kind.
func addFormer(former map[string]string, k AnyKind) []error {
	var errs []error
	for _, name := range k.formerNames() {
		old := formerName(name)
		if other, taken := former[old]; taken {
			errs = append(errs, fmt.Errorf("strategies %q and %q were both formerly named %q", other, k.name(), name))
			continue
		}
		former[old] = k.name()
	}
	return errs
}

// currentName returns the kind that other software knows by a name: as one of ours written in their way, or by a former name.
func (r *Registry) currentName(name string) (string, bool) {
	old := formerName(name)
	for own := range r.kinds {
		if formerName(own) == old {
			return own, true
		}
	}
	now, ok := r.former[old]
	return now, ok
}

// formerName writes the name of a strategy of libcluster, an Elixir module or an atom, in one way:
// Cluster.Strategy.Kubernetes.DNS, Kubernetes.DNS and :kubernetes_dns are kubernetesdns.
func formerName(name string) string {
	name = strings.TrimPrefix(strings.ToLower(name), "elixir.")
	return strings.NewReplacer(".", "", "_", "", ":", "").Replace(strings.TrimPrefix(name, "cluster.strategy."))
}

// Names returns the names of all kinds, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.kinds)) }

// Doc returns the line of documentation of a kind, "" if there is no such kind.
func (r *Registry) Doc(name string) string {
	if k := r.kinds[name]; k != nil {
		return k.doc()
	}
	return ""
}

// Configure decodes a configuration over the defaults of the named kind and validates it.
// Every mistake is reported: the error joins one "file:line:col: message" for each. A nil config means the defaults.
func (r *Registry) Configure(name string, config *yaml.Node, src Source) (*Configured, error) {
	k := r.kinds[name]
	if now, ok := r.currentName(name); k == nil && ok {
		return nil, strictyaml.Errorf(src.File, src.At, "unknown strategy %q: it is called %s here", name, now)
	}
	if k == nil {
		return nil, strictyaml.Errorf(src.File, src.At, "unknown strategy %q%s", name, strictyaml.Hint(name, r.Names()))
	}
	return k.configure(config, src)
}

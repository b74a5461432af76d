package cluster

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/strategy"
)

// Config is a whole configuration file. [Load] and [Parse] make one of YAML; a program may also
// fill one in by hand.
type Config struct {
	// Node is this node, with the cluster ID.
	Node connector.NodeConfig
	// Topologies are the clusters to form, in the order of the file.
	Topologies []Topology
	// Quorum, Groups, in the order of the file, and HTTP are for what honours them: see [WithHonoured]. nil means that there is none.
	Quorum *Quorum
	Groups []Group
	HTTP   *HTTP

	file    string               // its name in error messages
	path    string               // where Load read it, else ""
	stamp   fileStamp            // of path, before it was read
	hash    uint64               // of the text that was parsed; 0: none was
	node    connector.NodeConfig // as the file has it: a program may have changed Node since
	options LoadOptions
	root    *yaml.Node
}

// Topology is one cluster to form: a strategy that finds the peers, and a connector for them.
type Topology struct {
	Name string `yaml:"-"`
	// Strategy names the kind of Config. Set both with [strategy.Kind.Configure].
	Strategy string               `yaml:"strategy"`
	Config   *strategy.Configured `yaml:"-"`
	// Connector is a name given to [WithConnector]; "" means the first of those.
	Connector string `yaml:"connector"`
	// Connect, Disconnect and List name single callbacks that replace the connector's.
	Connect    string `yaml:"connect"`
	Disconnect string `yaml:"disconnect"`
	List       string `yaml:"list"`
	// Prune decides when peers are disconnected; its zero value means DefaultPrune.
	Prune Prune `yaml:"prune"`
	// Expect is the number of nodes the cluster should have, this one included; 0 = unknown.
	Expect int `yaml:"expect"`
	// MinPeers is the number of connected peers from which the topology is whole; 0 means
	// Expect - 1 or, without Expect, that the first complete answer suffices.
	MinPeers int `yaml:"min_peers"`

	node *yaml.Node // where it was read, nil if it was not
}

// Prune decides when peers that are no longer found are disconnected.
type Prune struct {
	// Mode is "after" or "never"; "" means never for a connector that gossips, because
	// liveness is its own affair, and after for all others.
	Mode string `yaml:"mode"`
	// After is how long a peer must have been missing from complete answers.
	After time.Duration `yaml:"after"`
	// MaxFraction bounds the share of the connected peers dropped within 10 s; above 0, at most 1.
	MaxFraction float64 `yaml:"max_fraction"`
}

// LoadOptions are what a configuration file may name.
type LoadOptions struct {
	Strategies *strategy.Registry
	// Connectors are the kinds that a topology may name, the default first; the node is checked against those in use. nil leaves
	// connectors, and what of the node they honour, unchecked until [New].
	Connectors *connector.Registry
	// Connect, Disconnect and List are the names of the single callbacks.
	Connect, Disconnect, List []string
	// LookupEnv resolves ${NAME} in values; nil means [LookupEnv].
	LookupEnv func(name string) (string, bool)
}

// DefaultPrune returns the defaults: after 30 s, at most half of the peers at once.
func DefaultPrune() Prune { return Prune{After: 30 * time.Second, MaxFraction: 0.5} }

// Load reads a configuration file and checks all that a node checks when it starts, apart from the network: what it names, and
// whether the connectors in use honour the node. Every mistake is reported: the error joins one "file:line:col: message" for each.
func Load(path string, options LoadOptions) (*Config, error) {
	stamp := stampOf(path)
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, strictyaml.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := Parse(path, text, options)
	if err != nil {
		return nil, err
	}
	c.path, c.stamp = path, stamp
	return c, nil
}

// Parse reads a configuration; file stands for it in error messages.
func Parse(file string, text []byte, options LoadOptions) (*Config, error) {
	if options.LookupEnv == nil {
		options.LookupEnv = LookupEnv
	}
	if options.Strategies == nil {
		options.Strategies = &strategy.Registry{}
	}
	root, err := strictyaml.Parse(file, text)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, strictyaml.Errorf(file, nil, "the configuration is empty; it needs at least cluster: and topologies:")
	}
	p := parser{file: file, options: options}
	c := p.parseDocument(root)
	if err := strictyaml.Join(p.errs...); err != nil {
		return nil, err
	}
	c.node = c.Node
	c.hash = hashText(text)
	return c, nil
}

// hashText returns a hash that is equal on all nodes that read the same text.
func hashText(text []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(text) // never fails
	return h.Sum64()
}

// LookupEnv is os.LookupEnv, in which HOSTNAME, that shells do not export, is always set.
func LookupEnv(name string) (string, bool) {
	value, set := os.LookupEnv(name)
	if !set && name == "HOSTNAME" {
		host, err := os.Hostname()
		return host, err == nil
	}
	return value, set
}

// Validate reports what is wrong with a topology, apart from the names it uses.
func (t *Topology) Validate() error {
	var errs []error
	at := func(key, format string, args ...any) {
		errs = append(errs, strategy.At(key, fmt.Errorf(format, args...)))
	}
	if t.Prune.Mode != "" && !slices.Contains(pruneModes, t.Prune.Mode) {
		at("prune.mode", "%q is unknown%s", t.Prune.Mode, strictyaml.Hint(t.Prune.Mode, pruneModes))
	}
	if t.Prune.After < 0 {
		at("prune.after", "%v is below 0", t.Prune.After)
	}
	if t.Prune != (Prune{}) && t.Prune.MaxFraction <= 0 || t.Prune.MaxFraction > 1 {
		at("prune.max_fraction", "%v is not above 0 and at most 1", t.Prune.MaxFraction)
	}
	if t.Expect < 0 {
		at("expect", "%d is below 0", t.Expect)
	}
	if t.MinPeers < 0 {
		at("min_peers", "%d is below 0", t.MinPeers)
	}
	if t.Expect > 0 && t.MinPeers > t.Expect-1 {
		at("min_peers", "%d peers and this node are more than the %d nodes of expect", t.MinPeers, t.Expect)
	}
	return errors.Join(errs...)
}

const (
	pruneAfter = "after"
	pruneNever = "never"
)

var pruneModes = []string{pruneAfter, pruneNever}

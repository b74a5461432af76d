package cluster

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// Config is a whole configuration file. [Load] and [Parse] make one of YAML; a program may also
// fill one in by hand.
type Config struct {
	// Cluster is the cluster ID, 1 to 255 bytes. Nodes of another cluster are refused.
	Cluster string `yaml:"cluster"`
	// Node is this node.
	Node Node `yaml:"node"`
	// Topologies are the clusters to form, in the order of the file.
	Topologies []Topology `yaml:"-"`

	file  string    // what error messages call it
	path  string    // where Load read it, else ""
	stamp fileStamp // of path, before it was read
	node  Node      // as the file has it: a program may have changed Node since
	names Vocabulary
	root  *yaml.Node
}

// Node describes this node to its peers.
type Node struct {
	Name      string         `yaml:"name"`      // unique in the cluster; default: the host name
	Listen    string         `yaml:"listen"`    // host:port; port 0 takes a free one; default 0.0.0.0:7946
	Advertise string         `yaml:"advertise"` // host or host:port that peers dial; default: found out
	DataDir   string         `yaml:"data_dir"`  // where the member set survives a restart; default: nowhere
	TLS       TLS            `yaml:"tls"`       // mutual TLS between nodes
	Keys      []strategy.Key `yaml:"keys"`      // pre-shared keys: the first encrypts, all decrypt
	// ForgetAfter is how long a member may be out of reach before it is forgotten, 1 s to 240 h; 0: for ever; default 72 h.
	ForgetAfter time.Duration `yaml:"forget_after"`
}

// TLS names files in PEM form. All three or none are given.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	CA   string `yaml:"ca"`
}

// Topology is one cluster to form: who finds the peers, and who connects them.
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
	// Prune says when peers are disconnected; its zero value means DefaultPrune.
	Prune Prune `yaml:"prune"`
	// Expect is the number of nodes the cluster should have, this one included; 0 = unknown.
	Expect int `yaml:"expect"`
	// MinPeers is the number of connected peers from which the topology is ready; 0 means
	// Expect - 1 or, without Expect, that the first complete answer suffices.
	MinPeers int `yaml:"min_peers"`

	node *yaml.Node // where it was read, nil if it was not
}

// Prune says when peers that are no longer found are disconnected.
type Prune struct {
	// Mode is "after" or "never"; "" means never for a connector that gossips, because
	// liveness is its own affair, and after for all others.
	Mode string `yaml:"mode"`
	// After is how long a peer must have been missing from complete answers.
	After time.Duration `yaml:"after"`
	// MaxFraction bounds the share of the connected peers dropped within 10 s; above 0, at most 1.
	MaxFraction float64 `yaml:"max_fraction"`
}

// Vocabulary is what a configuration file may name.
type Vocabulary struct {
	Strategies *strategy.Registry
	// Connectors are the names given to [WithConnector], the default first; nil leaves them unchecked until [New].
	Connectors []string
	// Connect, Disconnect and List are the names of the single callbacks.
	Connect, Disconnect, List []string
	// LookupEnv resolves ${NAME} in values; nil means os.LookupEnv, with HOSTNAME always set.
	LookupEnv func(name string) (string, bool)
}

// DefaultPrune returns the defaults: after 30 s, at most half of the peers at once.
func DefaultPrune() Prune { return Prune{After: 30 * time.Second, MaxFraction: 0.5} }

const (
	defaultListen = "0.0.0.0:7946"
	maxClusterID  = 255

	defaultForgetAfter = 72 * time.Hour
	maxForgetAfter     = 10 * 24 * time.Hour // for as long it is known that somebody was forgotten
)

// Load reads a configuration file. Every mistake in it is reported: the error joins one
// "file:line:col: message" for each.
func Load(path string, names Vocabulary) (*Config, error) {
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
	c, err := Parse(path, text, names)
	if err != nil {
		return nil, err
	}
	c.path, c.stamp = path, stamp
	return c, nil
}

// Parse reads a configuration; file stands for it in error messages.
func Parse(file string, text []byte, names Vocabulary) (*Config, error) {
	if names.LookupEnv == nil {
		names.LookupEnv = lookupEnv
	}
	if names.Strategies == nil {
		names.Strategies = &strategy.Registry{}
	}
	root, err := strictyaml.Parse(file, text)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, strictyaml.Errorf(file, nil, "the configuration is empty; it needs at least cluster: and topologies:")
	}
	p := parser{file: file, names: names}
	c := p.document(root)
	if err := strictyaml.Join(p.errs...); err != nil {
		return nil, err
	}
	c.file, c.names, c.root, c.node = file, names, root, c.Node
	return c, nil
}

// Warnings joins what works and has a consequence that a reader may not expect, one "file:line:col: warning: message"
// for each, in the order of the file; nil if there is nothing.
func (c *Config) Warnings() error {
	var all []error
	for _, t := range c.Topologies {
		if t.Config != nil {
			all = append(all, t.Config.Warnings())
		}
	}
	return strictyaml.Join(all...)
}

// lookupEnv is os.LookupEnv, in which HOSTNAME, that shells do not export, is always set.
func lookupEnv(name string) (string, bool) {
	value, set := os.LookupEnv(name)
	if !set && name == "HOSTNAME" {
		host, err := os.Hostname()
		return host, err == nil
	}
	return value, set
}

// DefaultNode returns a node named after its host that listens on all interfaces.
func DefaultNode() Node {
	name, err := os.Hostname()
	if err != nil {
		name = "" // then the file has to name the node
	}
	return Node{Name: name, Listen: defaultListen, ForgetAfter: defaultForgetAfter}
}

// Validate reports what is wrong with the cluster ID and the node.
func (c *Config) Validate() error {
	var errs []error
	switch {
	case c.Cluster == "":
		errs = append(errs, strategy.At("cluster", errors.New("a cluster ID is required: it keeps two clusters from merging")))
	case len(c.Cluster) > maxClusterID:
		errs = append(errs, strategy.At("cluster", fmt.Errorf("%d bytes, at most %d are possible", len(c.Cluster), maxClusterID)))
	}
	errs = append(errs, c.Node.validate())
	return errors.Join(errs...)
}

func (n Node) validate() error {
	var errs []error
	if n.Name == "" {
		errs = append(errs, strategy.At("node.name", errors.New("required, because this host has no name of its own")))
	}
	errs = append(errs, strategy.At("node.listen", checkListen(n.Listen)))
	if n.Advertise != "" {
		errs = append(errs, strategy.At("node.advertise", checkAdvertise(n.Advertise)))
	}
	if d := n.ForgetAfter; d != 0 && (d < time.Second || d > maxForgetAfter) {
		errs = append(errs, strategy.At("node.forget_after", fmt.Errorf("%v: want 0s, which is never, or 1s to %v", d, maxForgetAfter)))
	}
	if given := countSet(n.TLS.Cert, n.TLS.Key, n.TLS.CA); given != 0 && given != 3 {
		errs = append(errs, strategy.At("node.tls", errors.New("cert, key and ca belong together; give all three or none")))
	}
	return errors.Join(errs...)
}

func countSet(values ...string) (n int) {
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}

func checkListen(hostport string) error {
	_, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return fmt.Errorf("%q: want host:port, such as %s", hostport, defaultListen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q: port %q is not a number in 0..65535", hostport, port)
	}
	return nil
}

func checkAdvertise(addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(addr, "1") // a host alone takes the port of listen
	}
	_, err := peer.Addr(addr)
	return err
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

package cluster

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/strictyaml"
)

// shortForget is the forget_after below which a restart of a host, or a repair of a network, may take longer.
const shortForget = 10 * time.Minute

// Warnings joins what works and has a consequence that a reader may not expect, one "file:line:col: warning: message"
// for each, in the order of the file; nil if there is nothing. It asks no network. What concerns several parts of a configuration is only
// reported of one that was read from YAML.
func (c *Config) Warnings() error {
	var all []error
	for i := range c.Topologies {
		t := &c.Topologies[i]
		if t.Config != nil {
			all = append(all, t.Config.Warnings())
		}
		all = append(all, strictyaml.Warnings(t.node, c.file, errors.Join(t.warnExpect(), c.warnPeers(t))))
	}
	if c.root != nil {
		all = append(all, strictyaml.Warnings(c.root, c.file, errors.Join(c.warnNode(), c.warnHTTP(), c.warnQuorum())))
	}
	return strictyaml.Join(all...)
}

// warnExpect reports that nothing is waited for. Who writes the 0 has decided that.
func (t *Topology) warnExpect() error {
	given := func(key string) bool { return strictyaml.Child(t.node, key) != nil }
	if t.node == nil || t.minPeers() > 0 || given("expect") || given("min_peers") {
		return nil
	}
	return strictyaml.At("expect", errors.New("not given, so the topology counts as formed and whole also while this node is alone; "+
		"give the number of nodes, this one included, or 0 if it is not known"))
}

// warnPeers reports a list of peers that is shorter than the cluster is to be.
func (c *Config) warnPeers(t *Topology) error {
	peers := t.literalPeers()
	nodes := len(peers) + 1
	for _, own := range selfOf(c.Node) {
		if slices.Contains(peers, own.Addr) {
			nodes = len(peers)
		}
	}
	if t.node == nil || len(peers) == 0 || nodes >= t.Expect {
		return nil
	}
	return strictyaml.At("expect", fmt.Errorf("%d nodes are to be together, and the list of the strategy has %d: list all of them, "+
		"or the others take part only if they call one of these", t.Expect, len(peers)))
}

// literalPeers returns the peers of a fixed list of IP addresses; nil if it has a name, which may stand for several peers.
func (t *Topology) literalPeers() []string {
	if t.Config == nil {
		return nil
	}
	all := t.Config.FixedPeers()
	if slices.ContainsFunc(all, func(addr string) bool { return !hostOf(addr).literal() }) {
		return nil
	}
	return all
}

// warnNode reports what has a consequence for the node as others reach it.
func (c *Config) warnNode() error {
	var errs []error
	at := func(key, format string, args ...any) {
		errs = append(errs, strictyaml.At(key, fmt.Errorf(format, args...)))
	}
	n := c.Node
	if d := time.Duration(n.ForgetAfter); d > 0 && d < shortForget {
		at("node.forget_after", "members that cannot be reached for %v are forgotten: the halves of a network that was cut for longer find each other by discovery alone", d)
	}
	if !c.listens() {
		return errors.Join(errs...)
	}
	host := hostOf(n.Listen)
	if host.public() && len(n.Keys) == 0 && n.TLS.Cert == "" {
		at("node.listen", "other hosts can reach %s, and neither node.keys nor node.tls is given: whoever reaches it can join, read all data and remove members; "+
			"give one of them, or an address that only the nodes can reach", n.Listen)
	}
	for i := range c.Topologies {
		t := &c.Topologies[i]
		if elsewhere := slices.IndexFunc(t.literalPeers(), func(addr string) bool { return !hostOf(addr).loopback() }); host.loopback() && n.Advertise == "" && elsewhere >= 0 {
			at("node.listen", "only this host can reach %s, and topology %s has a peer at %s, which cannot call this node", n.Listen, t.Name, t.literalPeers()[elsewhere])
		}
	}
	return errors.Join(errs...)
}

// listens reports whether a connector in use is known to listen on node.listen.
func (c *Config) listens() bool {
	return c.options.Connectors != nil && slices.ContainsFunc(c.Topologies, func(t Topology) bool {
		kind, ok := c.options.Connectors.Kind(t.Connector)
		return ok && kind.Listens
	})
}

// warnHTTP reports a token that others on the network can read.
func (c *Config) warnHTTP() error {
	h := c.HTTP
	if h == nil || h.TokenFile == "" || h.TLS.Cert != "" {
		return nil
	}
	if _, unix := h.Unix(); unix || hostOf(h.Listen).loopback() {
		return nil
	}
	consequence := "read what the API shows"
	if h.Write {
		consequence = "change things, as with http.write: true the token allows"
	}
	return strictyaml.At("http.listen", fmt.Errorf("requests from other hosts to %s carry the token in plain text, and whoever reads it can %s; "+
		"give http.tls, or listen on 127.0.0.1 or unix:/PATH", h.Listen, consequence))
}

// listenHost is the host of a host:port.
type listenHost struct {
	name string
	ip   net.IP // nil for a name
}

func hostOf(hostport string) listenHost {
	host, _, _ := net.SplitHostPort(hostport) // what is not host:port is reported elsewhere
	return listenHost{host, net.ParseIP(host)}
}

func (h listenHost) literal() bool  { return h.ip != nil }
func (h listenHost) loopback() bool { return h.name == "localhost" || h.ip != nil && h.ip.IsLoopback() }

// public reports whether hosts of other networks may reach the address: all interfaces, or one that is not of a private network.
func (h listenHost) public() bool {
	return h.name == "" || h.ip != nil && (h.ip.IsUnspecified() || h.ip.IsGlobalUnicast() && !h.ip.IsPrivate())
}

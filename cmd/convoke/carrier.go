package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/connector/memberlist"
	"github.com/goconvoke/convoke/connector/serf"
	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/transport"
)

// carrier is a connector as the agent needs it: with a listener, and telling of changes.
type carrier interface {
	connector.Connector
	connector.Runner
	connector.Notifier
	connector.Leaver
	connector.Gossiper
	connector.SelfReporter
}

// carrierKind is a connector that the agent can carry, and what of a file it can honour.
type carrierKind struct {
	name    string // in a file
	tls     bool   // honours node.tls; if not, the agent refuses it
	durable bool   // honours node.data_dir and node.forget_after; if not, the agent warns
	removal bool   // knows removed members; if not, the agent refuses --rejoin
	make    func(c *cluster.Config, rejoin bool, log hclog.Logger) (carrier, error)
}

// carriers are the connectors of the agent; the first is the default.
var carriers = []carrierKind{
	{name: "gossip", tls: true, durable: true, removal: true, make: newGossip},
	{name: "memberlist", make: func(c *cluster.Config, _ bool, log hclog.Logger) (carrier, error) {
		return memberlist.New(memberlist.Config{
			Name: c.Node.Name, ClusterID: c.Cluster, Listen: c.Node.Listen, Advertise: c.Node.Advertise, Keys: keys(c), Log: log,
		})
	}},
	{name: "serf", make: func(c *cluster.Config, _ bool, log hclog.Logger) (carrier, error) {
		return serf.New(serf.Config{
			Name: c.Node.Name, ClusterID: c.Cluster, Listen: c.Node.Listen, Advertise: c.Node.Advertise, Keys: keys(c), Log: log,
		})
	}},
}

// newGossip makes the connector on our own core, over plain TCP unless the file has certificates or keys.
func newGossip(c *cluster.Config, rejoin bool, log hclog.Logger) (carrier, error) {
	security, err := security(c)
	if err != nil {
		return nil, err
	}
	tuning := core.DefaultConfig()
	tuning.ForgetAfter = c.Node.ForgetAfter
	return gossip.New(gossip.Config{
		Name: c.Node.Name, ClusterID: c.Cluster, Listen: c.Node.Listen, Advertise: c.Node.Advertise,
		DataDir: c.Node.DataDir, Tuning: &tuning, Rejoin: rejoin, Transport: transport.TCP{Security: security}, Log: log,
	})
}

// security returns what protects the streams between nodes.
func security(c *cluster.Config) (transport.Security, error) {
	files, keys := c.Node.TLS, keys(c)
	switch {
	case files != (cluster.TLS{}) && len(keys) > 0:
		return nil, errors.New("node: both tls and keys are given; take one: mutual TLS encrypts by itself")
	case files != (cluster.TLS{}):
		t, err := transport.NewTLS(files.Cert, files.Key, files.CA)
		if err != nil {
			return nil, fmt.Errorf("node.%w", err)
		}
		return t, nil
	case len(keys) > 0:
		p, err := transport.NewPSK(keys...)
		if err != nil {
			return nil, fmt.Errorf("node.keys: %w", err)
		}
		return p, nil
	}
	return transport.Plain{}, nil
}

// connectorNames returns the names of the agent's connectors, the default first.
func connectorNames() []string {
	var names []string
	for _, c := range carriers {
		names = append(names, c.name)
	}
	return names
}

// carrierFor returns the kind of the one connector that the topologies of a file name. There is one
// node.listen, so there cannot be two.
func carrierFor(c *cluster.Config) (carrierKind, error) {
	of := func(t cluster.Topology) string { return cmp.Or(t.Connector, carriers[0].name) }
	name := carriers[0].name
	for i, t := range c.Topologies {
		if i == 0 {
			name = of(t)
		}
		if of(t) != name {
			return carrierKind{}, fmt.Errorf("topology %q has the connector %s and topology %q has %s, but one node.listen serves one connector: name the same in both",
				c.Topologies[0].Name, name, t.Name, of(t))
		}
	}
	for _, k := range carriers {
		if k.name == name {
			return k, nil
		}
	}
	return carrierKind{}, fmt.Errorf("the agent has no connector %q; it has: %s", name, strings.Join(connectorNames(), ", "))
}

// servable returns the kind of connector that a file asks for. It refuses settings that this kind cannot
// honour: to ignore them would leave a node less safe than its file says.
func servable(c *cluster.Config) (carrierKind, error) {
	k, err := carrierFor(c)
	if err != nil {
		return carrierKind{}, err
	}
	if !k.tls && c.Node.TLS != (cluster.TLS{}) {
		return carrierKind{}, fmt.Errorf("node.tls: the connector %s has no TLS; use node.keys to encrypt", k.name)
	}
	return k, nil
}

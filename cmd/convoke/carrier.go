package main

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/memberlist"
	"github.com/goconvoke/convoke/connector/serf"
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

// carriers are the connectors of the agent; the first is the default.
var carriers = []struct {
	name string
	make func(*cluster.Config, hclog.Logger) (carrier, error)
}{
	{"memberlist", func(c *cluster.Config, log hclog.Logger) (carrier, error) {
		return memberlist.New(memberlist.Config{
			Name: c.Node.Name, ClusterID: c.Cluster, Listen: c.Node.Listen, Advertise: c.Node.Advertise, Keys: keys(c), Log: log,
		})
	}},
	{"serf", func(c *cluster.Config, log hclog.Logger) (carrier, error) {
		return serf.New(serf.Config{
			Name: c.Node.Name, ClusterID: c.Cluster, Listen: c.Node.Listen, Advertise: c.Node.Advertise, Keys: keys(c), Log: log,
		})
	}},
}

// connectorNames returns the names of the agent's connectors, the default first.
func connectorNames() []string {
	var names []string
	for _, c := range carriers {
		names = append(names, c.name)
	}
	return names
}

// connectorFor returns the one connector that the topologies of a file name. There is one node.listen, so
// there cannot be two.
func connectorFor(c *cluster.Config) (string, error) {
	of := func(t cluster.Topology) string {
		if t.Connector == "" {
			return carriers[0].name
		}
		return t.Connector
	}
	if len(c.Topologies) == 0 {
		return carriers[0].name, nil
	}
	first := c.Topologies[0]
	for _, t := range c.Topologies[1:] {
		if of(t) != of(first) {
			return "", fmt.Errorf("topology %q has the connector %s and topology %q has %s, but one node.listen serves one connector: name the same in both",
				first.Name, of(first), t.Name, of(t))
		}
	}
	return of(first), nil
}

// newCarrier makes the connector of a name.
func newCarrier(name string, c *cluster.Config, log hclog.Logger) (carrier, error) {
	for _, k := range carriers {
		if k.name == name {
			return k.make(c, log.Named(name))
		}
	}
	return nil, fmt.Errorf("the agent has no connector %q", name)
}

package prom

import (
	"net/http"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum"
)

// Agent is what [OfAgent] needs of a node of package agent, which this package does not import.
type Agent interface {
	Config() connector.NodeConfig
	Supervisor() *cluster.Supervisor
	Connector() connector.Connector
	Gossip() *gossip.Node
	Quorum() *quorum.Quorum
}

// OfAgent returns the metrics of a node of package agent: those of its gossip core if it has that connector, and those of its quorum if its file
// has one.
func OfAgent(n Agent) *Collector {
	var opts []Option
	if _, ok := n.Connector().(interface{ Node() *gossip.Node }); ok {
		opts = append(opts, WithNode(n.Gossip))
	}
	if n.Config().Quorum {
		opts = append(opts, WithQuorum(n.Quorum))
	}
	return New(n.Supervisor(), opts...)
}

// AgentHandler serves [OfAgent] as [Handler] does: for Options.Metrics of package agent.
func AgentHandler(n Agent) http.Handler {
	h, err := Handler(OfAgent(n))
	if err != nil { // one collector meets no other one
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		})
	}
	return h
}

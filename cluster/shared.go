package cluster

import (
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/span"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// shared is what the loops, runs and calls of one supervisor use together. The parts in the second group guard themselves; nothing
// in the first one changes after [New].
type shared struct {
	registry
	node     connector.NodeConfig // as it was at the start
	resolver strategy.Resolver
	tracer   span.Tracer
	log      hclog.Logger // may block: loops log through reporter

	reporter reporter
	board    statusBoard
	feed     feed
	tasks    tasks // strategies, reconcilers and calls of connectors
	services tasks // what runs until those have stopped: connectors, the writer of the log
}

// self returns the names and addresses of this node towards a connector: what the connector reports, else what the configuration
// has.
func (s *shared) self(c connector.Connector) []peer.Peer {
	if r, ok := c.(connector.SelfReporter); ok {
		return r.Self()
	}
	return selfOf(s.node)
}

package serf

import (
	"strconv"
	"testing"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
)

func TestKeepsTheRulesOfAConnector(t *testing.T) {
	others := make(map[string]*node) // by address
	next := 0
	other := func(tb testing.TB, cluster string) peer.Peer {
		tb.Helper()
		next++
		n := start(tb, "other-"+strconv.Itoa(next), func(c *config) { c.Cluster = cluster })
		others[n.peer().Addr] = n
		return n.peer()
	}
	connectortest.Run(t, connectortest.Subject{
		New: func(tb testing.TB) connector.Connector { return prepare(tb, "subject", nil).Connector },
		Peer: func(tb testing.TB, _ connector.Connector) peer.Peer {
			return other(tb, "test")
		},
		Foreign: func(tb testing.TB, _ connector.Connector) peer.Peer {
			return other(tb, "another")
		},
		Drop: func(tb testing.TB, _ connector.Connector, p peer.Peer) { others[p.Addr].stop() },
	})
}

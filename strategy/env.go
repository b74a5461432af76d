package strategy

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
)

// Env is what the host lends a strategy. Every field has a default; a strategy never finds one nil.
type Env struct {
	Log       hclog.Logger // tied to the topology already
	Topology  string       // name of the topology
	ClusterID string       // nodes of another cluster must not meet

	// Self tells under which names and addresses this node can be reached, the preferred one
	// first; empty while that is unknown. It may change, so ask when the answer is needed. The host part
	// may be unspecified ("0.0.0.0:7946"): then only the port is known, as with a listener on
	// all interfaces. It may be called from any goroutine.
	Self func() []peer.Peer

	Rand     *rand.Rand // belongs to the goroutine of Run alone
	Resolver Resolver
}

// Resolver looks names up; *net.Resolver is one. Both methods honour the deadline of ctx.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip", "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// withDefaults fills what the host left out.
func (e Env) withDefaults() Env {
	if e.Log == nil {
		e.Log = hclog.NewNullLogger()
	}
	if e.Self == nil {
		e.Self = func() []peer.Peer { return nil }
	}
	if e.Rand == nil {
		e.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if e.Resolver == nil {
		e.Resolver = net.DefaultResolver
	}
	return e
}

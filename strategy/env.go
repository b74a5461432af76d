package strategy

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
)

// Env is what the host lends a strategy. [Configured.New] fills in what the host left out, so a strategy never finds a
// field nil.
//
// There is no *http.Client in it, because net/http would make each program 3 MB larger: a strategy that needs one makes it
// of Dial, and closes its idle connections when Run returns.
type Env struct {
	Log       hclog.Logger // tied to the topology already; lines may be written after the call, so values must not change; default: logs nothing
	Topology  string       // name of the topology; may be empty
	ClusterID string       // nodes of another cluster must not meet; may be empty

	// Self returns the names and addresses at which this node can be reached, the preferred one
	// first; empty while that is unknown, which is the default. It may change, so ask when the answer is needed. The host part
	// may be unspecified ("0.0.0.0:7946"): then only the port is known, as with a listener on
	// all interfaces. It may be called from any goroutine.
	Self func() []peer.Peer

	// SelfChanged receives when Self may return something else than before, so that a strategy that registers this node
	// does so again at once. It belongs to the goroutine of Run, has a buffer of one and is never closed; default: it never
	// receives.
	SelfChanged <-chan struct{}

	Rand     *rand.Rand // belongs to the goroutine of Run; default: seeded at random
	Resolver Resolver   // default: [net.DefaultResolver]
	Dial     DialFunc   // opens the connections to a source; default: a [net.Dialer] that gives up after 10 s

	// BeginLookup is called by [Poll] before each lookup, which gets the context that it returns; end is called once with what the lookup
	// returned, before that is reported. A host measures and traces lookups by it. It belongs to the goroutine of Run; default: it
	// does nothing.
	BeginLookup func(ctx context.Context) (_ context.Context, end func(found int, err error))
}

// Resolver looks names up; *net.Resolver is one. Lookups honour the deadline of ctx.
type Resolver interface {
	// LookupNetIP returns the addresses of host; network is "ip", "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// DialFunc opens a connection, as [net.Dialer.DialContext] does. It may be called from any goroutine.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

const dialTimeout = 10 * time.Second

// withDefaults fills in what the host left out.
func (e Env) withDefaults() Env {
	if e.Log == nil {
		e.Log = hclog.NewNullLogger()
	}
	if e.Self == nil {
		e.Self = func() []peer.Peer { return nil }
	}
	if e.SelfChanged == nil {
		e.SelfChanged = make(chan struct{})
	}
	if e.BeginLookup == nil {
		e.BeginLookup = func(ctx context.Context) (context.Context, func(int, error)) { return ctx, func(int, error) {} }
	}
	if e.Rand == nil {
		e.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if e.Resolver == nil {
		e.Resolver = net.DefaultResolver
	}
	if e.Dial == nil {
		e.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return e
}

// Package multicast finds peers that announce themselves on the local network: every node sends
// small heartbeats to a multicast group (or by broadcast, or to listed seeds) and reports
// those it hears. It needs no server and no list of addresses.
//
// A peer is reported at the first packet, forgotten after five missed heartbeats or when
// it announces that it leaves. Packets carry the hash of the cluster ID and, with keys, are sealed and protected
// against replay. Whatever else arrives at the port is dropped at a small constant cost and counted.
package multicast

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/goconvoke/convoke/strategy"
)

// Kind registers this strategy.
var Kind = strategy.Kind[Config]{
	Name:    "multicast",
	Doc:     "nodes announce themselves by UDP multicast, broadcast or to seeds",
	Default: DefaultConfig(),

	FormerNames: []string{"gossip"},
	FormerKeys: map[string]string{
		"multicast_addr": "ipv4_group",
		"multicast_if":   "interfaces",
		"multicast_ttl":  "ttl",
		"broadcast_only": "broadcast",
		"secret":         "set keys, 32 bytes in base64 each: openssl rand -base64 32",
		"if_addr":        "leave it out; it listens on all addresses, and interfaces chooses the networks",
	},

	New: func(c Config, env strategy.Env) (strategy.Strategy, error) { return newStrategy(c, env) },
}

var errNoCluster = errors.New("the cluster ID is empty; set `cluster:` so that clusters on one network stay apart")

// discoverer announces this node and reports the nodes it hears. Its Run may be called again
// after it returned; diagnose reports on the latest.
type discoverer struct {
	config  Config
	env     strategy.Env
	codec   *codec
	network network

	mu     sync.Mutex
	latest diagnosis
	filter *filter
}

// newStrategy makes a strategy. It opens nothing.
func newStrategy(c Config, env strategy.Env) (*discoverer, error) {
	codec, err := newCodec(env.ClusterID, c.Keys)
	if err != nil {
		return nil, err
	}
	return &discoverer{config: c, env: env, codec: codec, network: osNetwork{}}, nil
}

// Run announces and listens until ctx is done; then it announces that it leaves, which takes under a second.
// It returns earlier, with a permanent error, only where the platform lacks multicast or the cluster ID is empty.
func (s *discoverer) Run(ctx context.Context, out strategy.Sink) error {
	if s.env.ClusterID == "" {
		return strategy.Permanent(errNoCluster)
	}
	r := newRunner(s, rand.Uint64()|1) // 0 stands for no instance
	s.mu.Lock()
	s.filter = r.sockets.filter
	s.mu.Unlock()
	return r.run(ctx, out)
}

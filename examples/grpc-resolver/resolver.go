package main

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/resolver"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/peer"
)

// scheme is that of the targets: convoke:///orders is the topology orders of the configuration.
const scheme = "convoke"

// builder makes resolvers of the topologies of one configuration. Give it to grpc.NewClient with grpc.WithResolvers.
type builder struct {
	config *cluster.Config
	log    hclog.Logger
}

// Scheme returns "convoke".
func (b *builder) Scheme() string { return scheme }

// Build follows the topology that the target names until the connection is closed.
func (b *builder) Build(target resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	topology := strings.TrimPrefix(target.Endpoint(), "/")
	ctx, cancel := context.WithCancel(context.Background())
	answers, err := b.config.Follow(ctx, topology, b.log)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("target %s: %w", target.URL.String(), err)
	}
	f := &following{cancel: cancel}
	f.running.Go(func() { f.update(conn, answers) })
	return f, nil
}

// following is a resolver: one topology that is followed for one connection.
type following struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// update hands the peers to the balancer each time that they change. A source that fails or answers in part takes no server
// away; its error is reported only as long as no server is known, because a call fails with it then.
func (f *following) update(conn resolver.ClientConn, answers iter.Seq2[[]peer.Peer, error]) {
	for peers, err := range answers {
		if err != nil && len(peers) == 0 {
			conn.ReportError(err)
			continue
		}
		state := resolver.State{Endpoints: make([]resolver.Endpoint, 0, len(peers))}
		for _, p := range peers {
			state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: p.Addr}}})
		}
		_ = conn.UpdateState(state) // the balancer's refusal is in its own log; the next change is tried again
	}
}

// ResolveNow does nothing: the strategy asks or watches its source by itself.
func (f *following) ResolveNow(resolver.ResolveNowOptions) {}

// Close stops the strategy and waits for it.
func (f *following) Close() {
	f.cancel()
	f.running.Wait()
}

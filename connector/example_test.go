package connector_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// Funcs makes a connector of three callbacks of a program that keeps its connections itself. List returns each peer under the
// address that Connect got, or with its ID: only so it counts as connected.
func ExampleFuncs() {
	var mu sync.Mutex
	open := make(map[string]peer.Peer) // stands for the connections

	c := connector.Funcs{
		ConnectFunc: func(_ context.Context, p peer.Peer) error {
			mu.Lock()
			defer mu.Unlock()
			open[p.Addr] = p // dial p.Addr here, within the deadline of ctx
			return nil
		},
		DisconnectFunc: func(_ context.Context, p peer.Peer) error {
			mu.Lock()
			defer mu.Unlock()
			delete(open, p.Addr)
			return nil
		},
		ListFunc: func(context.Context) ([]peer.Peer, error) {
			mu.Lock()
			defer mu.Unlock()
			return slices.Collect(maps.Values(open)), nil
		},
	}

	// A supervisor calls these: cluster.New(config, cluster.WithConnector("mine", c)).
	ctx := context.Background()
	fmt.Println(c.Connect(ctx, peer.Peer{Addr: "10.0.0.1:7946", ID: "orders-1"}))
	fmt.Println(c.List(ctx))
	fmt.Println(c.Disconnect(ctx, peer.Peer{Addr: "10.0.0.1:7946"}))
	fmt.Println(c.List(ctx))
	// Output:
	// <nil>
	// [orders-1@10.0.0.1:7946] <nil>
	// <nil>
	// [] <nil>
}

package connectortest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
)

// Run is called from a test of a connector. Each function that is left nil skips the rules that need it.
func ExampleRun() {
	_ = func(t *testing.T) {
		next := 0
		connectortest.Run(t, connectortest.Subject{
			New: func(testing.TB) connector.Connector { return connectortest.NewMesh() }, // yours
			Peer: func(testing.TB, connector.Connector) peer.Peer {
				next++
				return peer.Peer{Addr: fmt.Sprintf("10.0.0.%d:7946", next)} // start a server here
			},
			Bubble: true, // it has no real sockets
		})
	}
}

// A Mesh is a connector in memory, for tests of what drives connectors.
func ExampleMesh() {
	mesh := connectortest.NewMesh()
	mesh.Refuse("10.0.0.2:7946", errors.New("connection refused"))
	mesh.Inbound(peer.Peer{Addr: "10.0.0.3:7946"})

	ctx := context.Background()
	fmt.Println(mesh.Connect(ctx, peer.Peer{Addr: "10.0.0.1:7946"}))
	fmt.Println(mesh.Connect(ctx, peer.Peer{Addr: "10.0.0.2:7946"}))
	fmt.Println(mesh.List(ctx))
	// Output:
	// <nil>
	// connect 10.0.0.2:7946: connection refused
	// [10.0.0.1:7946 10.0.0.3:7946] <nil>
}

package connector_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
)

func TestFuncsKeepTheRules(t *testing.T) {
	at := func(addr string) func(testing.TB, connector.Connector) peer.Peer {
		return func(testing.TB, connector.Connector) peer.Peer { return peer.Peer{Addr: addr} }
	}
	const own, foreign, refused, hanging = "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1"
	next := 0
	connectortest.Run(t, connectortest.Subject{
		New: func(testing.TB) connector.Connector {
			m := connectortest.NewMesh()
			m.Refuse(own, connector.ErrSelf)
			m.Refuse(foreign, connector.ErrForeign)
			m.Refuse(refused, errors.New("refused"))
			m.Hang(hanging)
			return connector.Funcs{ConnectFunc: m.Connect, DisconnectFunc: m.Disconnect, ListFunc: m.List}
		},
		Peer: func(testing.TB, connector.Connector) peer.Peer {
			next++
			return peer.Peer{Addr: fmt.Sprintf("10.1.0.%d:1", next)}
		},
		Self:    at(own),
		Foreign: at(foreign),
		Refused: at(refused),
		Hanging: at(hanging),
		Bubble:  true,
	})
}

func TestFuncsWithoutCallbacks(t *testing.T) {
	var f connector.Funcs
	p := peer.Peer{Addr: "10.0.0.1:1"}
	if err := f.Connect(t.Context(), p); err == nil {
		t.Error("Connect without a callback = nil, want an error")
	}
	if err := f.Disconnect(t.Context(), p); err != nil {
		t.Errorf("Disconnect without a callback = %v, want nil: no peer is ever dropped", err)
	}
	if all, err := f.List(t.Context()); err == nil {
		t.Errorf("List without a callback = %v, nil, want an error: unknown is not empty", all)
	}
}

func TestFuncsPassTheirArgumentsOn(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	want, sentinel := peer.Peer{Addr: "10.0.0.1:1", ID: "a", Zone: "z"}, errors.New("sentinel")
	see := func(ctx context.Context, p peer.Peer) error {
		if ctx.Value(key{}) != "mine" || p != want {
			t.Errorf("callback got %v and its own ctx: %v", p, ctx.Value(key{}) == "mine")
		}
		return sentinel
	}
	f := connector.Funcs{ConnectFunc: see, DisconnectFunc: see}
	if err := f.Connect(ctx, want); !errors.Is(err, sentinel) {
		t.Errorf("Connect = %v, want the error of the callback", err)
	}
	if err := f.Disconnect(ctx, want); !errors.Is(err, sentinel) {
		t.Errorf("Disconnect = %v, want the error of the callback", err)
	}
}

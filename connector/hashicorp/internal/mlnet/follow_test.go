package mlnet

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/goconvoke/convoke/connector"
)

// unconnected is a cluster without members.
type unconnected struct{ alone }

func (unconnected) Leave(time.Duration) error { return nil }
func (unconnected) Shutdown() error           { return nil }

// startMoving runs a node whose host moves when the channel has a value, and returns the sessions that it begins.
func startMoving(t *testing.T, move <-chan struct{}) (n *Node, begun <-chan struct{}, ended <-chan error, stop func()) {
	t.Helper()
	sessions, end := make(chan struct{}, 4), make(chan error, 1)
	n, err := New(Config{Kind: "test", Node: connector.NodeConfig{Cluster: "test", Name: "a", Listen: "127.0.0.1:0"},
		Start: func(Binding) (Cluster, error) { return unconnected{}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	n.follow = func(s *session, moved func(netip.Addr)) {
		sessions <- struct{}{}
		select {
		case <-move:
			moved(netip.MustParseAddr("10.0.0.9"))
		case <-s.life.Done():
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	go func() { end <- n.Run(ctx) }()
	return n, sessions, end, cancel
}

func TestANodeListensAgainWhenItsHostHasAnotherAddress(t *testing.T) {
	move := make(chan struct{})
	n, begun, ended, stop := startMoving(t, move)
	for range 3 {
		<-begun
		if _, err := n.List(t.Context()); err != nil {
			t.Errorf("List() = %v while a session runs", err)
		}
		move <- struct{}{}
	}
	<-begun
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v, want the end of its context", err)
	}
}

func TestANodeThatHasLeftDoesNotComeBackWhenItsHostMoves(t *testing.T) {
	move := make(chan struct{})
	n, begun, ended, stop := startMoving(t, move)
	<-begun
	if err := n.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	move <- struct{}{}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) || len(begun) > 0 {
		t.Errorf("Run() = %v with %d more sessions, want none", err, len(begun))
	}
}

func TestAnAddressThatIsGivenIsNotFollowed(t *testing.T) {
	life, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, c := range []struct {
		advertise string
		host      netip.Addr
	}{{"10.0.0.1", netip.IPv4Unspecified()}, {"", netip.MustParseAddr("127.0.0.1")}} {
		n := &Node{public: hostPort{host: c.advertise}}
		n.followHost(&session{host: c.host, life: life}, func(netip.Addr) { t.Error("moved") }) // returns at once
	}
}

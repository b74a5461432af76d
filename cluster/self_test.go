package cluster_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// moving is a connector of a node whose address changes.
type moving struct {
	*connectortest.Mesh
	changes chan struct{}

	mu   sync.Mutex
	self []peer.Peer
}

func (m *moving) Self() []peer.Peer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.self)
}

func (m *moving) Changes() <-chan struct{} { return m.changes }

func (m *moving) move(addrs ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.self = peersAt(addrs...)
	m.changes <- struct{}{}
}

// announcing is a strategy that notes the own address at each signal.
type announcing struct {
	mu    sync.Mutex
	noted []string
}

func (a *announcing) configured() *strategy.Configured {
	kind := strategy.Kind[scriptConfig]{Name: "announcing", Doc: "announces this node", New: func(_ scriptConfig, env strategy.Env) (strategy.Strategy, error) {
		return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
			out.Set(nil)
			for {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-env.SelfChanged:
					a.mu.Lock()
					for _, p := range env.Self() {
						a.noted = append(a.noted, p.Addr)
					}
					a.mu.Unlock()
				}
			}
		}), nil
	}}
	c, err := kind.Configure(scriptConfig{})
	if err != nil {
		panic(err)
	}
	return c
}

func (a *announcing) wantNoted(t *testing.T, want ...string) {
	t.Helper()
	settle(time.Second)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.noted, want) {
		t.Errorf("the strategy was signalled with the addresses %v, want %v", a.noted, want)
	}
}

func TestAStrategyIsSignalledOnceForEachNewAddressOfItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, announces := &moving{Mesh: connectortest.NewMesh(), changes: make(chan struct{}, 1)}, &announcing{}
		start(t, configOf(cluster.Topology{Name: "t", Config: announces.configured()}), cluster.WithConnector("moving", c))
		announces.wantNoted(t) // not known yet
		c.move("a")
		announces.wantNoted(t, "a:7946")
		c.move("a")
		announces.wantNoted(t, "a:7946")
		c.move() // not known any more: the strategy keeps what it has
		announces.wantNoted(t, "a:7946")
		c.move("b")
		announces.wantNoted(t, "a:7946", "b:7946")
		settle(time.Hour)
		announces.wantNoted(t, "a:7946", "b:7946")
	})
}

func TestAStrategyIsSignalledWhenItsTopologyMovesToAnotherConnector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := &moving{Mesh: connectortest.NewMesh(), changes: make(chan struct{}, 1), self: peersAt("one")}
		two := &moving{Mesh: connectortest.NewMesh(), changes: make(chan struct{}, 1), self: peersAt("two")}
		announces := &announcing{}
		configured := announces.configured()
		config := func(name string) *cluster.Config {
			return configOf(cluster.Topology{Name: "t", Config: configured, Connector: name}, cluster.Topology{Name: "u", Config: (&script{}).configured(1), Connector: "two"})
		}
		s := start(t, config("one"), cluster.WithConnector("one", one), cluster.WithConnector("two", two))
		announces.wantNoted(t, "one:7946")
		if err := s.Apply(config("two")); err != nil {
			t.Fatal(err)
		}
		announces.wantNoted(t, "one:7946", "two:7946")
	})
}

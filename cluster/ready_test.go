package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
)

// formedNow returns what Formed does without waiting.
func formedNow(s *cluster.Supervisor) error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Formed(ctx)
}

func TestFormedStaysWhenAnotherNodeRestartsAndWholeDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 3}), cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set("a", "b")
		if err := s.Formed(t.Context()); err != nil || s.Whole() != nil {
			t.Fatalf("Formed = %v, Whole = %v, want nil", err, s.Whole())
		}
		mesh.Refuse("b:7946", errors.New("connection refused"))
		mesh.Lose("b:7946")
		settle(12 * time.Second)
		if err := formedNow(s); err != nil {
			t.Errorf("Formed after a loss = %v, want nil", err)
		}
		err := s.Whole()
		for _, part := range []string{"topology t is not whole", "2 of 3 nodes are together; b:7946 is down since"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("Whole after a loss = %v, want %q in it", err, part)
			}
		}
		if err := s.Live(); err != nil {
			t.Errorf("Live = %v", err)
		}
	})
}

func TestNothingIsFormedBeforeTheConnectorHasListedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		mesh.FailList(errors.New("address already in use"))
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set()
		limited, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Formed(limited); err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("Formed = %v, want why the connector does not list", err)
		}
		if s.Status().Formed || s.Whole() == nil {
			t.Error("a node whose connector never listed is formed, or whole")
		}
		mesh.FailList(nil)
		if err := s.Formed(t.Context()); err != nil {
			t.Errorf("Formed = %v, want nil when it lists", err)
		}
	})
}

func TestNothingIsFormedBeforeRunAndAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s, err := cluster.New(configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		if err != nil {
			t.Fatal(err)
		}
		if formedNow(s) == nil || s.Whole() == nil || s.Live() == nil {
			t.Error("a supervisor that does not run is formed, whole or live")
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		source.run(t, 1).set("a")
		if err := s.Formed(ctx); err != nil {
			t.Fatal(err)
		}
		waits := make(chan error, 1)
		go func() { // it ends with Run, after the last status
			var last cluster.Status
			for last = range s.Watch(context.Background()) {
				continue
			}
			if last.Formed {
				waits <- errors.New("the last status is formed")
			}
			waits <- nil
		}()
		cancel()
		<-ended
		if err := <-waits; err != nil {
			t.Error(err)
		}
		if formedNow(s) == nil || s.Whole() == nil || s.Live() == nil || s.Status().Formed {
			t.Errorf("after Run: Formed %v, Whole %v, Live %v", formedNow(s), s.Whole(), s.Live())
		}
	})
}

func TestATopologyThatIsReloadedInDoesNotUndoWhatHasFormed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, other := connectortest.NewMesh(), &script{}, &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set("a")
		if err := s.Formed(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Apply(configOf(cluster.Topology{Name: "t", Config: source.configured(1)}, cluster.Topology{Name: "new", Config: other.configured(1), Expect: 9})); err != nil {
			t.Fatal(err)
		}
		if err := formedNow(s); err != nil || !s.Status().Formed {
			t.Errorf("Formed = %v, want nil", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Formed(ctx, "new"); err == nil {
			t.Error("the new topology has formed")
		}
	})
}

// hanging is a mesh whose report of this node's addresses hangs, where it must not.
type hanging struct {
	*connectortest.Mesh
	release chan struct{}
}

func (h *hanging) Self() []peer.Peer { <-h.release; return nil }

func TestAReconcilerThatHangsIsNotLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &hanging{connectortest.NewMesh(), make(chan struct{})}
		source := &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", c))
		settle(time.Minute)
		if err := s.Live(); err != nil {
			t.Errorf("Live after a minute = %v, want patience", err)
		}
		settle(2 * time.Minute)
		if err := s.Live(); err == nil || !strings.Contains(err.Error(), "the reconciler of connector mesh has made no round for 3m0s") {
			t.Errorf("Live = %v, want the reconciler that hangs", err)
		}
		close(c.release)
		settle(time.Second)
		if err := s.Live(); err != nil {
			t.Errorf("Live = %v when it goes on", err)
		}
	})
}

func TestWatchYieldsWhatTheConnectorLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		go source.run(t, 1).set("a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for status := range s.Watch(ctx) {
			if len(status.Connectors) == 1 && addrs(status.Connectors[0].Peers) == "a" {
				return
			}
		}
		t.Errorf("the peer never showed in %+v", s.Status().Connectors)
	})
}

type configured struct {
	*connectortest.Mesh
	node connector.NodeConfig
}

func (c *configured) NodeConfig() connector.NodeConfig { return c.node }

func TestNewRefusesConnectorsAndCallbacksThatCannotWork(t *testing.T) {
	config := configOf(cluster.Topology{Name: "t", Config: (&script{}).configured(1)})
	mesh := connectortest.NewMesh()
	var none *connectortest.Mesh
	for want, opts := range map[string][]cluster.Option{
		"option 2 of 2 is nil":                      {cluster.WithConnector("m", mesh), nil},
		`connector "m": it is nil`:                  {cluster.WithConnector("m", nil)},
		`connector "n": it is nil`:                  {cluster.WithConnector("n", none)},
		`connector "m": given twice`:                {cluster.WithConnector("m", mesh), cluster.WithConnector("m", mesh)},
		"connector: it has no name":                 {cluster.WithConnector("", mesh)},
		`connector "f": connector.Funcs needs`:      {cluster.WithConnector("f", connector.Funcs{})},
		`connector "p": connector.Funcs needs`:      {cluster.WithConnector("p", &connector.Funcs{ConnectFunc: mesh.Connect})},
		`connect callback "c": it is nil`:           {cluster.WithConnector("m", mesh), cluster.WithConnect("c", nil)},
		`disconnect callback "d": given twice`:      {cluster.WithConnector("m", mesh), cluster.WithDisconnect("d", mesh.Disconnect), cluster.WithDisconnect("d", mesh.Disconnect)},
		`list callback "l": it is nil`:              {cluster.WithConnector("m", mesh), cluster.WithList("l", nil)},
		"node.name: the connector m was made for a": {cluster.WithConnector("m", &configured{mesh, connector.NodeConfig{Cluster: "test", Name: "other", Listen: config.Node.Listen}})},
	} {
		if _, err := cluster.New(config, opts...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New = %v, want %q", err, want)
		}
	}
	if _, err := cluster.New(nil, cluster.WithConnector("m", mesh)); err == nil {
		t.Error("New without a configuration = nil")
	}
	s, err := cluster.New(config, cluster.WithConnector("m", mesh), cluster.WithLogger(nil), cluster.WithResolver(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(nil); err == nil {
		t.Error("Apply without a configuration = nil")
	}
}

func TestASettingThatNoConnectorHonoursIsRefused(t *testing.T) {
	config := configOf(cluster.Topology{Name: "t", Config: (&script{}).configured(1)})
	mesh := connectortest.NewMesh()
	s, err := cluster.New(config, cluster.WithConnector("m", mesh))
	if err != nil {
		t.Fatal(err)
	}
	keyed := configOf(config.Topologies...)
	keyed.Node.Keys = make([]connector.Key, 1)
	for what, err := range map[string]error{
		"New":   func() error { _, err := cluster.New(keyed, cluster.WithConnector("m", mesh)); return err }(),
		"Apply": s.Apply(keyed),
	} {
		if err == nil || !strings.Contains(err.Error(), "node.keys: the connector m does not honour this setting") {
			t.Errorf("%s = %v, want the setting refused", what, err)
		}
	}
	if _, err := cluster.New(keyed, cluster.WithConnector("m", mesh), cluster.WithConnector("secure", &configured{mesh, keyed.Node})); err != nil {
		t.Errorf("New with a connector that honours the keys = %v", err)
	}
	_, err = cluster.New(keyed, cluster.WithConnector("m", &configured{mesh, config.Node}))
	if err == nil || !strings.Contains(err.Error(), "node.keys: the connector m does not honour this setting") {
		t.Errorf("New with a connector that was made without the keys = %v", err)
	}
}

func TestAPeerWithAnotherKeyIsReportedAsSuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, &logbook{}
		mesh.Refuse("a:7946", connector.ErrUntrusted)
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh), cluster.WithLogger(log.logger()))
		events := watch(t, s)
		source.run(t, 1).set("a")
		settle(10 * time.Minute)
		if got := events.of(cluster.EventPeerUntrusted); len(got) != 1 || len(events.of(cluster.EventPeerForeign)) > 0 {
			t.Errorf("events %v, want one of the keys and none of another cluster", got)
		}
		if n := len(log.lines("other keys or certificates")); n != 1 {
			t.Errorf("%d lines about it, want one", n)
		}
	})
}

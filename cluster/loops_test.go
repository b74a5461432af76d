package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector/connectortest"
)

// blocking is a writer of a log that does not return until it is released.
type blocking struct{ release chan struct{} }

func (b blocking) Write(p []byte) (int, error) { <-b.release; return len(p), nil }

func TestALogWriterThatBlocksStopsNoLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source, log := connectortest.NewMesh(), &script{}, blocking{make(chan struct{})}
		logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: log})
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 3}), cluster.WithConnector("mesh", mesh), cluster.WithLogger(logger))
		defer close(log.release)
		run := source.run(t, 1)
		for range 2000 { // more lines than wait to be written
			run.out.Fail(errors.New("refused"))
			run.set("a", "b")
		}
		if err := s.Formed(t.Context()); err != nil {
			t.Error(err)
		}
		mesh.Lose("a:7946")
		settle(15 * time.Second)
		wantConnected(t, mesh, "a b")
		if err := s.Live(); err != nil {
			t.Error(err)
		}
	})
}

func TestAConnectorThatHangsDelaysNeitherReportsNorApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, mesh := &hanging{connectortest.NewMesh(), make(chan struct{})}, connectortest.NewMesh()
		source, other := &script{}, &script{}
		first := cluster.Topology{Name: "t", Config: source.configured(1)}
		s := start(t, configOf(first), cluster.WithConnector("hangs", c), cluster.WithConnector("mesh", mesh))
		defer close(c.release)
		began := time.Now()
		source.run(t, 1).out.Fail(errors.New("refused"))
		second := cluster.Topology{Name: "other", Config: other.configured(1), Connector: "mesh", MinPeers: 1}
		if err := s.Apply(configOf(first, second)); err != nil {
			t.Fatal(err)
		}
		other.run(t, 1).set("a")
		if err := s.Formed(t.Context(), "other"); err != nil {
			t.Error(err)
		}
		if err := s.Formed(t.Context(), "none"); err == nil {
			t.Error("a topology that there is not has formed")
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v, want no wait for the connector that hangs", took)
		}
		settle(time.Second)
		if ts := s.Status().Topologies[0]; ts.Err == nil {
			t.Error("the status lacks a failure that was reported while the connector hangs")
		}
	})
}

func TestATopologyThatMovesLosesNoReportAndStaysFormed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &script{}
		config := func(n int) *cluster.Config {
			return configOf(cluster.Topology{Name: "t", Config: source.configured(1), Connector: fmt.Sprint("c", n%2)})
		}
		s := start(t, config(0), cluster.WithConnector("c0", connectortest.NewMesh()), cluster.WithConnector("c1", connectortest.NewMesh()))
		events := watch(t, s)
		run := source.run(t, 1)
		run.set("a")
		if err := s.Formed(t.Context()); err != nil {
			t.Fatal(err)
		}
		const reports = 500
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range reports {
				run.out.Fail(errors.New("refused"))
				run.set("a")
				time.Sleep(time.Millisecond)
			}
		}()
		for n := range 50 {
			if err := s.Apply(config(n + 1)); err != nil {
				t.Fatal(err)
			}
			if err := formedNow(s); err != nil || !s.Status().Topologies[0].Formed {
				t.Fatalf("after move %d: %v", n, err)
			}
			time.Sleep(7 * time.Millisecond)
		}
		<-done
		settle(time.Second)
		if n := len(events.of(cluster.EventSourceFailed)); n != reports || source.count() != 1 {
			t.Errorf("%d of %d failures arrived in %d runs of the strategy, want all in one", n, reports, source.count())
		}
	})
}

func TestAStatusNeverChangesOnceItWasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		run := source.run(t, 1)
		run.set("a", "b")
		settle(time.Second)
		before := s.Status()
		kept := fmt.Sprintf("%+v", before)
		mesh.Refuse("b:7946", errors.New("refused"))
		mesh.Lose("b:7946")
		run.set("c", "a")
		settle(time.Minute)
		if now := fmt.Sprintf("%+v", before); now != kept {
			t.Errorf("the status reads\n%s\nwhere it read\n%s", now, kept)
		}
	})
}

func TestApplyBeforeRunIsInForceAndAfterRunAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, one, two := connectortest.NewMesh(), &script{}, &script{}
		s, err := cluster.New(configOf(cluster.Topology{Name: "one", Config: one.configured(1)}), cluster.WithConnector("mesh", mesh))
		if err != nil {
			t.Fatal(err)
		}
		config := configOf(cluster.Topology{Name: "two", Config: two.configured(1), Expect: 4})
		if err := s.Apply(config); err != nil {
			t.Fatal(err)
		}
		if ts := s.Status().Topologies; len(ts) != 1 || ts[0].Name != "two" || ts[0].Expect != 4 || ts[0].State != cluster.Starting {
			t.Errorf("status before Run = %+v", ts)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		two.run(t, 1).set("a")
		if one.count() != 0 {
			t.Error("the strategy of a configuration that was replaced before Run was started")
		}
		if err := s.Run(ctx); err == nil {
			t.Error("a second Run = nil")
		}
		cancel()
		<-ended
		if err := s.Apply(config); err == nil {
			t.Error("Apply after Run = nil")
		}
	})
}

func TestStatsCountPeersByStateAndCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		release := make(chan struct{})
		mesh.Refuse("refuses:7946", errors.New("connection refused"))
		mesh.Stall("stalls:7946", release)
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 5}), cluster.WithConnector("mesh", mesh))
		defer close(release)
		run := source.run(t, 1)
		run.out.Fail(errors.New("not yet"))
		run.out.Add(peersAt("leaves"))
		settle(time.Second)
		run.set("a", "refuses", "stalls")
		settle(12 * time.Second)
		got := s.Stats()
		want := cluster.Stats{
			Cluster: "test", Node: "me",
			Events: map[cluster.EventKind]uint64{
				cluster.EventSourceFailed: 1, cluster.EventSourceRecovered: 1, cluster.EventPeerConnected: 2, cluster.EventDialFailed: 1,
			},
			Topologies: []cluster.TopologyStats{{
				Name: "t", Strategy: "script", Connector: "mesh", State: cluster.Running, Expect: 5, MinPeers: 4, Wanted: 3, Connected: 1,
				Peers:    cluster.PeerCounts{Connected: 1, Failing: 2, Unwanted: 1},
				Complete: 1, Partial: 1, Failures: 1,
			}},
			Connectors: []cluster.ConnectorStats{{Name: "mesh", Listed: true, Peers: 2, Overruns: 1}},
		}
		ignored := cmpopts.IgnoreFields(cluster.ConnectorStats{}, "Lists", "Dials", "DialTime", "RoundTime")
		times := cmpopts.IgnoreFields(cluster.TopologyStats{}, "LastSet", "LastAdd", "LastFail", "LookupTime")
		if d := cmp.Diff(want, got, ignored, times, cmpopts.IgnoreFields(cluster.Stats{}, "Config")); d != "" {
			t.Errorf("Stats (-want +got):\n%s", d)
		}
		c := got.Connectors[0]
		if d := c.Dials; d.Failed < 2 || d != (cluster.DialCounts{OK: 2, Failed: d.Failed}) || c.DialTime.Count() != d.OK+d.Failed {
			t.Errorf("dials = %+v, of %d times, want two that succeeded, and the others failed", d, c.DialTime.Count())
		}
		if n := c.RoundTime.Count(); c.Lists < 3 || n != c.Lists+c.ListFailures {
			t.Errorf("%d lists, %d rounds, want three or more, and as many rounds", c.Lists, n)
		}
		if ts := got.Topologies[0]; ts.LastSet.IsZero() || ts.LastAdd.IsZero() || ts.LastFail.IsZero() {
			t.Errorf("times of the answers = %v, %v, %v, want all set", ts.LastSet, ts.LastAdd, ts.LastFail)
		}
	})
}

func TestStatsCostTheSameForManyPeers(t *testing.T) {
	allocs := func(peers int) (n float64) {
		synctest.Test(t, func(t *testing.T) {
			mesh, source := connectortest.NewMesh(), &script{}
			s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
			var found []string
			for i := range peers {
				found = append(found, fmt.Sprint("n", i))
			}
			source.run(t, 1).set(found...)
			settle(time.Minute)
			if got := s.Stats().Topologies[0].Connected; got != peers {
				t.Fatalf("%d of %d peers connected", got, peers)
			}
			n = testing.AllocsPerRun(100, func() { s.Stats() })
		})
		return n
	}
	if few, many := allocs(2), allocs(400); many > few {
		t.Errorf("Stats makes %v allocations with 400 peers and %v with 2, want the same", many, few)
	}
}

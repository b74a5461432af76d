package prom_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/ops/prom"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/quorum"
	"github.com/goconvoke/convoke/strategy"
)

// deadline bounds everything that a test waits for.
const deadline = 20 * time.Second

// supervisor runs topologies whose sources have answered in each way, until the test ends, and returns the supervisor once its connector
// lists so many peers.
func supervisor(t testing.TB, topologies, peers int) *cluster.Supervisor {
	t.Helper()
	var found []peer.Peer
	for i := range peers {
		found = append(found, peer.Peer{Addr: fmt.Sprintf("10.%d.%d.%d:7946", i>>16, i>>8&255, i&255), ID: fmt.Sprint("n", i)})
	}
	kind := strategy.Kind[struct{}]{Name: "script", Doc: "answers in each way", New: func(struct{}, strategy.Env) (strategy.Strategy, error) {
		return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
			out.Fail(errors.New("not yet"))
			out.Add(slices.Clone(found[:1]))
			out.Set(slices.Clone(found))
			<-ctx.Done()
			return ctx.Err()
		}), nil
	}}
	configured, err := kind.Configure(struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	config := &cluster.Config{Node: connector.NodeConfig{Cluster: "orders", Name: "me", Listen: "192.0.2.1:7946"}}
	for i := range topologies {
		config.Topologies = append(config.Topologies, cluster.Topology{Name: fmt.Sprint("t", i), Config: configured, Expect: peers + 1})
	}
	none := func(context.Context, peer.Peer) error { return nil }
	list := func(context.Context) ([]peer.Peer, error) { return found, nil }
	s, err := cluster.New(config, cluster.WithConnector("mesh", connector.Funcs{ConnectFunc: none, DisconnectFunc: none, ListFunc: list}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	late, stop := context.WithTimeout(ctx, deadline)
	defer stop()
	if err := s.Formed(late); err != nil {
		t.Fatal(err)
	}
	return s
}

// member starts a node that is a quorum by itself, and has so many groups.
func member(t testing.TB, groups int) (*gossip.Node, *quorum.Quorum) {
	t.Helper()
	node, err := gossip.Start(gossip.Config{Name: "me", ClusterID: "orders", Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(node.Stop)
	q, err := quorum.Start(quorum.Config{Node: node, Voters: 1, Birth: quorum.Expect(1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, groups)
	for i := range groups {
		shards, err := q.Shards(fmt.Sprintf("group%02d", i), quorum.Settings{Count: 4})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			ended <- shards.Work(ctx, func(ctx context.Context, _ quorum.Hold) error { <-ctx.Done(); return nil })
		}()
	}
	t.Cleanup(func() {
		cancel()
		q.Stop()
		for range groups {
			<-ended
		}
	})
	eventually(t, "the groups have holders", func() bool {
		status, err := q.Status(ctx)
		vacant := slices.ContainsFunc(status.Groups, func(g quorum.Group) bool { return g.Vacant > 0 })
		return err == nil && len(status.Groups) == groups && !vacant && status.Lease > 0
	})
	return node, q
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(deadline); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("not within %v: %s", deadline, what)
		}
	}
}

// scrape reads the handler of collectors, and returns the text with the metrics in it, as Prometheus reads them.
func scrape(t testing.TB, all ...*prom.Collector) (string, map[string]*dto.MetricFamily) {
	t.Helper()
	h, err := prom.Handler(all...)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	text := w.Body.String()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, families
}

// convokeLines returns the series of convoke in a text.
func convokeLines(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "convoke_") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestANodeHasAtMost300SeriesWithoutPeersInTheirLabels(t *testing.T) {
	s := supervisor(t, 5, 40)
	node, q := member(t, 4)
	c := prom.New(s, prom.WithNode(func() *gossip.Node { return node }), prom.WithQuorum(func() *quorum.Quorum { return q }))
	text, _ := scrape(t, c)
	lines := convokeLines(text)
	t.Logf("%d series", len(lines))
	if len(lines) > 300 {
		t.Errorf("%d series, want at most 300", len(lines))
	}
	for _, line := range lines {
		if !strings.Contains(line, `cluster_name="orders"`) {
			t.Errorf("without the name of the cluster: %s", line)
		}
		if strings.Contains(line, "10.0.") || strings.Contains(line, `"n3"`) || strings.Contains(line, "127.0.0.1") {
			t.Errorf("a peer in the labels: %s", line)
		}
	}
}

func TestGroupsBeyondTheBoundAreShownTogether(t *testing.T) {
	s := supervisor(t, 1, 1)
	_, q := member(t, prom.MaxGroups+3)
	_, families := scrape(t, prom.New(s, prom.WithQuorum(func() *quorum.Quorum { return q })))
	held := map[string]float64{}
	for _, m := range families["convoke_quorum_shards_held"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "group" {
				held[l.GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	if len(held) != prom.MaxGroups+1 || held["(others)"] != 12 || held["group00"] != 4 {
		t.Errorf("shards held by group = %v, want %d groups with 4, and 12 of the others", held, prom.MaxGroups)
	}
}

func TestTwoNodesOfOneClusterInOneRegistryAreAnError(t *testing.T) {
	s := supervisor(t, 1, 1)
	r := prometheus.NewRegistry()
	if err := prom.New(s).Register(r); err != nil {
		t.Fatal(err)
	}
	err := prom.New(s).Register(r)
	if err == nil || !strings.Contains(err.Error(), `the cluster "orders" already`) {
		t.Errorf("the second one: %v, want an error with the cluster", err)
	}
	err = prom.New(s, prom.WithNode(func() *gossip.Node { return nil })).Register(r)
	if err == nil || !strings.Contains(err.Error(), `the cluster "orders"`) {
		t.Errorf("a second one with more metrics: %v, want an error with the cluster", err)
	}
	if _, err := prom.Handler(prom.New(s), prom.New(s)); err == nil {
		t.Error("a handler of both has no error")
	}
	// With a label that distinguishes them, both fit.
	if err := prom.New(s).Register(prometheus.WrapRegistererWith(prometheus.Labels{"node": "b"}, prometheus.NewRegistry())); err != nil {
		t.Error(err)
	}
}

func TestANodeThatDoesNotRunHasMetricsOfItsSupervisor(t *testing.T) {
	s := supervisor(t, 1, 1)
	c := prom.New(s, prom.WithNode(func() *gossip.Node { return nil }), prom.WithQuorum(func() *quorum.Quorum { return nil }))
	text, _ := scrape(t, c)
	for _, want := range []string{"convoke_gossip_running{cluster_name=\"orders\"} 0\n", "convoke_quorum_running{cluster_name=\"orders\"} 0\n", "convoke_topology_whole{"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	node, q := member(t, 0)
	node.Stop()
	<-q.Done()
	text, _ = scrape(t, prom.New(s, prom.WithNode(func() *gossip.Node { return node }), prom.WithQuorum(func() *quorum.Quorum { return q })))
	if !strings.Contains(text, "convoke_gossip_running{cluster_name=\"orders\"} 0\n") || strings.Contains(text, "convoke_gossip_members{") {
		t.Errorf("a node that has stopped shows members, or runs:\n%s", text)
	}
}

func TestAScrapeCostsTheSameForManyPeersOfASupervisor(t *testing.T) {
	allocs := func(peers int) float64 {
		c := prom.New(supervisor(t, 1, peers))
		return testing.AllocsPerRun(20, func() { drain(c) })
	}
	if few, many := allocs(2), allocs(2000); many > few+5 {
		t.Errorf("a scrape makes %v allocations with 2,000 peers and %v with 2, want the same", many, few)
	}
}

// drain collects, and drops what comes.
func drain(c *prom.Collector) (n int) {
	ch := make(chan prometheus.Metric, 1024)
	go func() {
		defer close(ch)
		c.Collect(ch)
	}()
	for range ch {
		n++
	}
	return n
}

func BenchmarkScrape(b *testing.B) {
	for _, peers := range []int{10, 10000} {
		b.Run(fmt.Sprint(peers), func(b *testing.B) {
			node, q := member(b, 4)
			c := prom.New(supervisor(b, 5, peers), prom.WithNode(func() *gossip.Node { return node }), prom.WithQuorum(func() *quorum.Quorum { return q }))
			h, err := prom.Handler(c)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
			}
		})
	}
}

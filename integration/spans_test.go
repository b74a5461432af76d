package integration

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	embedded "github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/quorum"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
)

// attributeTypes are those of the attributes; all that end a span's row in docs/monitoring.md are here, and no other.
var attributeTypes = map[string]attribute.Type{
	"convoke.topology": attribute.STRING, "convoke.strategy": attribute.STRING, "convoke.answer": attribute.STRING, "convoke.connector": attribute.STRING,
	"convoke.refusal": attribute.STRING, "server.address": attribute.STRING, "server.port": attribute.INT64, "convoke.peers.found": attribute.INT64,
	"convoke.wanted": attribute.INT64, "convoke.connected": attribute.INT64, "convoke.dialled": attribute.INT64, "convoke.dropped": attribute.INT64,
	"convoke.members.asked": attribute.INT64, "convoke.members.silent": attribute.INT64, "convoke.members.lacking": attribute.INT64,
	"convoke.topologies.changed": attribute.INT64,
}

var (
	spanRow       = regexp.MustCompile("(?m)^\\| `(convoke\\.[a-z.]+)` \\| [^|]* \\| ([^|]*) \\|")
	attributeName = regexp.MustCompile(`\b(?:convoke|server)\.[a-z.]+`)
)

// documentedSpans returns the attributes of each span in the table of docs/monitoring.md, sorted.
func documentedSpans(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, row := range spanRow.FindAllStringSubmatch(string(page), -1) {
		all[row[1]] = slices.Sorted(slices.Values(attributeName.FindAllString(row[2], -1)))
	}
	if len(all) < 10 {
		t.Fatalf("docs/monitoring.md has %d spans: this test looks for the wrong rows", len(all))
	}
	return all
}

func TestEverySpanHasTheAttributesOfTheDocumentationAndNoOther(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	traceCalls(t, provider)
	traceJoins(t, provider)
	traceDrop(t, provider)
	want := documentedSpans(t)
	awaitSpans(t, spans, slices.Collect(maps.Keys(want)))
	got := map[string]map[string]bool{}
	for _, s := range spans.GetSpans() {
		if got[s.Name] == nil {
			got[s.Name] = map[string]bool{}
		}
		for _, a := range s.Attributes {
			got[s.Name][string(a.Key)] = true
			if typed, ok := attributeTypes[string(a.Key)]; !ok || a.Value.Type() != typed {
				t.Errorf("%s: %s is of the type %v, want %v", s.Name, a.Key, a.Value.Type(), typed)
			}
		}
	}
	for name, attributes := range got {
		if with, ok := want[name]; !ok {
			t.Errorf("the span %s is recorded and not documented", name)
		} else if names := slices.Sorted(maps.Keys(attributes)); !slices.Equal(names, with) {
			t.Errorf("%s has the attributes %v, documented are %v", name, names, with)
		}
	}
}

// awaitSpans waits until a span of each name has ended.
func awaitSpans(t *testing.T, spans *tracetest.InMemoryExporter, names []string) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		seen := trace(spans.GetSpans())
		missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(seen.named(name)) > 0 })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(late) {
			t.Fatalf("not recorded: %v", missing)
		}
	}
}

// traceCalls makes the calls of a program that have spans: those of a node and of its quorum.
func traceCalls(t *testing.T, provider *sdk.TracerProvider) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	n, err := gossip.Start(gossip.Config{Name: "caller", ClusterID: "calls", Listen: "127.0.0.1:0", DataDir: t.TempDir(), TracerProvider: provider})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	q, err := quorum.Start(quorum.Config{Node: n, Voters: 1, Birth: quorum.Expect(1), TracerProvider: provider})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Stop()
	if err := n.Shared().Update(ctx, "k", func(string, bool) (string, bool, error) { return "v", true, nil }); err != nil {
		t.Error(err)
	}
	if err := n.Shared().Sync(ctx); err != nil {
		t.Error(err)
	}
	if _, err := n.Agreement(ctx); err != nil {
		t.Error(err)
	}
	if err := n.Remove(ctx, "stranger"); err == nil {
		t.Error("a member that is not known was removed")
	}
	if _, err := q.Map().Set(ctx, "k", "v"); err != nil {
		t.Error(err)
	}
}

// traceJoins runs a node that finds a member and a node of another cluster, and reloads its file.
func traceJoins(t *testing.T, provider *sdk.TracerProvider) {
	t.Helper()
	var hosts []string
	for _, id := range []string{"traced", "foreign"} {
		n, err := gossip.Start(gossip.Config{Name: "other", ClusterID: id, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Stop()
		hosts = append(hosts, n.Addr())
	}
	registry, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trace.yaml")
	write := func(hosts []string) {
		text := fmt.Sprintf("cluster: traced\nnode: {name: a, listen: \"127.0.0.1:0\"}\ntopologies: {t: {strategy: static, config: {hosts: [%s]}, expect: 2}}\n", strings.Join(hosts, ", "))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(hosts)
	n, err := embedded.Start(t.Context(), file, embedded.Options{Strategies: registry, TracerProvider: provider, Socket: filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := n.Formed(ctx); err != nil {
		t.Fatal(err)
	}
	for n.Gossip().Counters().Refused == (gossip.Refusals{}) {
		if ctx.Err() != nil {
			t.Fatal("the node of another cluster was not refused")
		}
		time.Sleep(10 * time.Millisecond)
	}
	write(hosts[:1])
	if err := n.Supervisor().Reload(ctx); err != nil {
		t.Fatal(err)
	}
}

// traceDrop runs a supervisor whose source no longer names a peer.
func traceDrop(t *testing.T, provider *sdk.TracerProvider) {
	t.Helper()
	peers := []peer.Peer{{Addr: "10.0.0.1:7946"}, {Addr: "10.0.0.2:7946"}}
	dropped := make(chan struct{}, 16)
	mesh := connector.Funcs{
		ConnectFunc:    func(context.Context, peer.Peer) error { return nil },
		DisconnectFunc: func(context.Context, peer.Peer) error { dropped <- struct{}{}; return nil },
		ListFunc:       func(context.Context) ([]peer.Peer, error) { return slices.Clone(peers), nil },
	}
	config := &cluster.Config{
		Node:       connector.NodeConfig{Cluster: "dropped", Name: "me", Listen: "192.0.2.1:7946"},
		Topologies: []cluster.Topology{{Name: "t", Config: shrinking(t, peers), Prune: cluster.Prune{After: time.Millisecond, MaxFraction: 1}}},
	}
	s, err := cluster.New(config, cluster.WithConnector("mesh", mesh), cluster.WithTracerProvider(provider))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	select {
	case <-dropped:
	case <-time.After(60 * time.Second):
		t.Error("the peer that is not wanted is not dropped")
	}
}

// shrinking is a strategy that answers with all peers once, and from then on without the last one.
func shrinking(t *testing.T, peers []peer.Peer) *strategy.Configured {
	t.Helper()
	kind := strategy.Kind[struct{}]{Name: "shrinking", Doc: "loses a peer", New: func(struct{}, strategy.Env) (strategy.Strategy, error) {
		return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
			out.Set(slices.Clone(peers))
			again := time.NewTicker(100 * time.Millisecond)
			defer again.Stop()
			for {
				select {
				case <-again.C:
					out.Set(slices.Clone(peers[:len(peers)-1]))
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}), nil
	}}
	configured, err := kind.Configure(struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	return configured
}

package cluster_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// kindOf returns the value of a constant: a literal, or the kind of a notice converted.
func kindOf(t *testing.T, value ast.Expr) cluster.EventKind {
	t.Helper()
	if call, ok := value.(*ast.CallExpr); ok {
		name := call.Args[0].(*ast.SelectorExpr).Sel.Name
		kind, ok := map[string]connector.NoticeKind{
			"NoticeNameConflict": connector.NoticeNameConflict, "NoticeNameRegained": connector.NoticeNameRegained,
			"NoticeAddrChanged": connector.NoticeAddrChanged, "NoticeSecurityChanged": connector.NoticeSecurityChanged,
			"NoticeSecurityFailed": connector.NoticeSecurityFailed, "NoticeSecurityExpiring": connector.NoticeSecurityExpiring,
		}[name]
		if !ok {
			t.Fatalf("%s is a notice that this test does not know", name)
		}
		return cluster.EventKind(kind)
	}
	text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
	if err != nil {
		t.Fatal(err)
	}
	return cluster.EventKind(text)
}

func TestEventKindsHasEveryConstant(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []cluster.EventKind
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			want = append(want, kindOf(t, v.Values[0]))
		}
		return true
	})
	if got := cluster.EventKinds(); !slices.Equal(got, want) || len(want) < 20 {
		t.Errorf("EventKinds() = %q, want %q", got, want)
	}
}

func TestDialsAreCountedByWhatTheyReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		mesh.Refuse("foreign:7946", fmt.Errorf("there: %w", connector.ErrForeign))
		mesh.Refuse("untrusted:7946", connector.ErrUntrusted)
		mesh.Refuse("self:7946", connector.ErrSelf)
		mesh.Refuse("refuses:7946", fmt.Errorf("connection refused"))
		s := start(t, configOf(cluster.Topology{Name: "t", Config: source.configured(1)}), cluster.WithConnector("mesh", mesh))
		source.run(t, 1).set("a", "foreign", "untrusted", "self", "refuses")
		settle(500 * time.Millisecond) // before any is dialled again
		want := cluster.DialCounts{OK: 1, Failed: 1, Foreign: 1, Untrusted: 1, Self: 1}
		if got := s.Stats().Connectors[0].Dials; got != want {
			t.Errorf("dials = %+v, want %+v", got, want)
		}
	})
}

func TestStatsHaveTheTimesOfLookupsAndUntilFormed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh, source := connectortest.NewMesh(), &script{}
		c := source.configured(1)
		polls := strategy.Kind[struct{}]{Name: "slow", New: func(_ struct{}, env strategy.Env) (strategy.Strategy, error) {
			return strategy.Poll(func(ctx context.Context) ([]peer.Peer, error) {
				time.Sleep(100 * time.Millisecond)
				return []peer.Peer{{Addr: "a:7946"}}, nil
			}, strategy.DefaultPoll(), env), nil
		}}
		slow, err := polls.Configure(struct{}{})
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, configOf(cluster.Topology{Name: "never", Config: c, Expect: 9}, cluster.Topology{Name: "slow", Config: slow, Expect: 2}),
			cluster.WithConnector("mesh", mesh))
		settle(time.Second)
		never, formed := s.Stats().Topologies[0], s.Stats().Topologies[1]
		if never.FormedIn != 0 || never.LookupTime.Count() != 0 {
			t.Errorf("a topology without an answer formed in %v after %d lookups", never.FormedIn, never.LookupTime.Count())
		}
		if formed.FormedIn < 100*time.Millisecond || formed.FormedIn > time.Second {
			t.Errorf("it formed in %v, want 100 ms and some", formed.FormedIn)
		}
		if l := formed.LookupTime; l.Count() == 0 || l.Sum() != time.Duration(l.Count())*100*time.Millisecond {
			t.Errorf("%d lookups took %v, want 100 ms each", l.Count(), l.Sum())
		}
	})
}

func TestATopologyHasItsNameInStatsFromTheStart(t *testing.T) {
	source := &script{}
	s, err := cluster.New(configOf(cluster.Topology{Name: "t", Config: source.configured(1), Expect: 3}), cluster.WithConnector("mesh", connectortest.NewMesh()))
	if err != nil {
		t.Fatal(err)
	}
	want := cluster.TopologyStats{Name: "t", Strategy: "script", Connector: "mesh", State: cluster.Starting, Expect: 3, MinPeers: 2}
	if got := s.Stats().Topologies[0]; got != want {
		t.Errorf("before Run: %+v, want %+v", got, want)
	}
}

func TestStatsShowWhetherTheFileWasTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "topology.yaml")
	good := []byte("cluster: c\nnode: {name: n}\ntopologies:\n  t: {strategy: script, config: {}}\n")
	write := func(text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	registry, err := strategy.NewRegistry(strategy.Kind[struct{}]{Name: "script", Doc: "x", New: func(struct{}, strategy.Env) (strategy.Strategy, error) {
		return strategy.Func(func(ctx context.Context, _ strategy.Sink) error { <-ctx.Done(); return nil }), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Load(path, cluster.LoadOptions{Strategies: registry})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.New(c, cluster.WithConnector("mesh", connectortest.NewMesh()), cluster.WithReload())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { stop(); <-ended }()
	first := s.Stats().Config
	if first.Hash == 0 || first.ReloadFailed || time.Since(first.Loaded) > time.Minute {
		t.Errorf("at the start: %+v, want a hash, no failure and the time", first)
	}
	expect := func(what string, want func(cluster.ConfigStats) bool) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for !want(s.Stats().Config) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", what, s.Stats().Config)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	write([]byte("cluster: [\n"))
	expect("a file with a mistake is not shown", func(c cluster.ConfigStats) bool {
		return c.ReloadFailed && c.Hash == first.Hash && c.Loaded.Equal(first.Loaded)
	})
	write(append(good, "# another one\n"...))
	expect("a file without mistakes is not shown", func(c cluster.ConfigStats) bool {
		return !c.ReloadFailed && c.Hash != first.Hash && c.Loaded.After(first.Loaded)
	})
}

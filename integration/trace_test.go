package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	convoke "github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/integration/promlab"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
)

// trace is what was recorded.
type trace []tracetest.SpanStub

// named returns the spans of a name, in the order of their starts.
func (t trace) named(name string) (all trace) {
	for _, s := range t {
		if s.Name == name {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	return all
}

// below returns the children of a span.
func (t trace) below(s tracetest.SpanStub) (all trace) {
	for _, c := range t {
		if c.Parent.SpanID() == s.SpanContext.SpanID() {
			all = append(all, c)
		}
	}
	return all
}

// find returns the span with an ID, nil if it is not recorded.
func (t trace) find(id string) *tracetest.SpanStub {
	for i := range t {
		if t[i].SpanContext.SpanID().String() == id {
			return &t[i]
		}
	}
	return nil
}

// value returns an attribute of a span as text, "" if it has none of that name.
func value(s tracetest.SpanStub, name string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == name {
			return a.Value.Emit()
		}
	}
	return ""
}

func TestOneJoinIsOneTraceFromTheLookupToTheRefusedDial(t *testing.T) {
	member, err := gossip.Start(gossip.Config{Name: "b", ClusterID: "traced", Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer member.Stop()
	refused := promlab.FreeAddr(t)
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	registry, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		t.Fatal(err)
	}
	config, err := cluster.Parse("trace.yaml", fmt.Appendf(nil, "cluster: traced\nnode: {name: a, listen: \"127.0.0.1:0\"}\n"+
		"topologies: {t: {strategy: static, config: {hosts: [%q, %q]}}}\n", member.Addr(), refused), cluster.LoadOptions{Strategies: registry})
	if err != nil {
		t.Fatal(err)
	}
	c, err := convoke.Kind.New(config.Node, connector.Env{TracerProvider: provider})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cluster.New(config, cluster.WithConnector("gossip", c), cluster.WithTracerProvider(provider))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for late := time.Now().Add(20 * time.Second); len(trace(spans.GetSpans()).named("convoke.dial")) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("no two dials are traced: %v", spans.GetSpans())
		}
	}
	checkTree(t, trace(spans.GetSpans()), refused)
}

// checkTree checks the first round that dials.
func checkTree(t *testing.T, all trace, refused string) {
	t.Helper()
	dials := all.named("convoke.dial")
	rounds := slices.DeleteFunc(all.named("convoke.reconcile"), func(s tracetest.SpanStub) bool { return len(all.below(s)) == 0 })
	if len(rounds) == 0 || rounds[0].Parent.IsValid() || len(rounds[0].Links) != 1 {
		t.Fatalf("no round with dials is a root with one link: %+v", rounds)
	}
	lookups := all.named("convoke.lookup")
	linked := func(s tracetest.SpanStub) bool { return s.SpanContext.Equal(rounds[0].Links[0].SpanContext) }
	if i := slices.IndexFunc(lookups, linked); i < 0 || lookups[i].Parent.IsValid() || len(all.below(lookups[i])) != 0 {
		t.Errorf("the round is not linked to a lookup that is a root: %+v", lookups)
	}
	if children := all.below(rounds[0]); len(children) != 2 || len(children.named("convoke.dial")) != 2 {
		t.Fatalf("the round has the children %+v, want two dials", children)
	}
	failed := 0
	for _, dial := range dials[:2] {
		joins := all.below(dial)
		if len(joins) != 1 || joins[0].Name != "convoke.gossip.join" {
			t.Fatalf("a dial has the children %+v, want one join", joins)
		}
		handshakes := all.below(joins[0])
		if len(handshakes) != 1 || handshakes[0].Name != "convoke.gossip.handshake" || len(all.below(handshakes[0])) != 0 {
			t.Fatalf("a join has the children %+v, want one handshake", handshakes)
		}
		port := "127.0.0.1:" + value(dial, "server.port")
		for _, s := range []tracetest.SpanStub{dial, joins[0], handshakes[0]} {
			if is := s.Status.Code == codes.Error; is != (port == refused) {
				t.Errorf("%s to %s: error %v, %q", s.Name, port, is, s.Status.Description)
			}
		}
		if port == refused {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d dials were refused, want one", failed)
	}
}

package span

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
)

func TestASpanThatIsNotTracedAllocatesNothing(t *testing.T) {
	tracer, ctx := TracerOf(nil, "test"), context.Background()
	allocs := testing.AllocsPerRun(1000, func() {
		_, s := tracer.Start(ctx, "convoke.gossip.join")
		End(s, nil)
	})
	if allocs != 0 {
		t.Errorf("a span of no provider makes %v allocations, want none", allocs)
	}
}

// OTel's conventions have an integer: one who asks for server.port > 1024 finds no text.
func TestThePortOfAServerIsANumber(t *testing.T) {
	for addr, want := range map[string][]attribute.KeyValue{
		"10.0.0.1:7946":      {attribute.String("server.address", "10.0.0.1"), attribute.Int("server.port", 7946)},
		"[2001:db8::1]:7946": {attribute.String("server.address", "2001:db8::1"), attribute.Int("server.port", 7946)},
		"db:65535":           {attribute.String("server.address", "db"), attribute.Int("server.port", 65535)},
		"10.0.0.1":           nil,
		"10.0.0.1:http":      nil,
		"10.0.0.1:65536":     nil,
		"":                   nil,
	} {
		if got := Server(addr); !slices.Equal(got, want) {
			t.Errorf("Server(%q) = %v, want %v", addr, got, want)
		}
	}
}

// A program that traces nothing pays at most 100 ns for each span.
func BenchmarkASpanThatIsNotTraced(b *testing.B) {
	tracer, ctx := TracerOf(nil, "test"), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_, s := tracer.Start(ctx, "convoke.gossip.join")
		End(s, nil)
	}
}

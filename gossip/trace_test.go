package gossip

import (
	"context"
	"testing"
)

// A program that traces nothing pays at most 100 ns for each span.
func BenchmarkASpanThatIsNotTraced(b *testing.B) {
	tracer, ctx := tracerOf(nil), context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_, span := tracer.Start(ctx, "convoke.gossip.join")
		endSpan(span, nil)
	}
}

func TestASpanThatIsNotTracedCostsLittle(t *testing.T) {
	tracer, ctx := tracerOf(nil), context.Background()
	allocs := testing.AllocsPerRun(1000, func() {
		_, span := tracer.Start(ctx, "convoke.gossip.join")
		endSpan(span, nil)
	})
	if allocs > 1 {
		t.Errorf("a span of no provider makes %v allocations, want at most one", allocs)
	}
}

func TestEveryReasonHasAName(t *testing.T) {
	for r := none; r < reasons; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no name", r)
		}
	}
}

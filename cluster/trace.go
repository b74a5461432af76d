package cluster

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/internal/span"
)

// maxLinks bounds the lookups that one round is linked to.
const maxLinks = 16

// WithTracerProvider traces lookups, rounds that do something, dials, disconnects and reloads of the configuration: a round is linked to the lookups
// whose answers it follows, and dials are its children. What a lookup or a connector traces with its context is below them. Nil, the default, traces
// nothing.
func WithTracerProvider(p trace.TracerProvider) Option {
	return func(s *Supervisor) { s.tracer = span.TracerOf(p, "github.com/goconvoke/convoke/cluster") }
}

// traceLookup begins the span of a lookup.
func (run *runner) traceLookup(ctx context.Context) (context.Context, func(found int, err error)) {
	ctx, sp := run.tracer.Start(ctx, "convoke.lookup", trace.WithNewRoot())
	return ctx, func(found int, err error) {
		if sp.IsRecording() {
			answer := "complete"
			switch {
			case err != nil && found > 0:
				answer = "partial"
			case err != nil:
				answer = "none"
			}
			sp.SetAttributes(attribute.String("convoke.topology", run.topology), attribute.String("convoke.strategy", run.config.Kind),
				attribute.String("convoke.answer", answer), attribute.Int("convoke.peers.found", found))
			of := sp.SpanContext()
			run.lookup.Store(&of)
		}
		span.End(sp, err)
	}
}

// takeLookup returns the span of the lookup that brought a report, nil if there is none.
func (run *runner) takeLookup() *trace.SpanContext {
	if run.lookup.Load() == nil {
		return nil // the common case, without a write
	}
	return run.lookup.Swap(nil)
}

// linksTo returns the lookups that a plan follows from: the last one of each topology that it is about.
func (r *reconciler) linksTo(plan *reconcile.Plan) (links []trace.Link) {
	about := func(name string) bool {
		return slices.ContainsFunc([][]reconcile.Call{plan.Dial, plan.Drop, plan.Up, plan.Down, plan.Dropped, plan.Forgotten}, func(calls []reconcile.Call) bool {
			return slices.ContainsFunc(calls, func(c reconcile.Call) bool { return c.Topology == name })
		})
	}
	for name, t := range r.topologies {
		if t.lookup != nil && len(links) < maxLinks && about(name) {
			links = append(links, trace.Link{SpanContext: *t.lookup})
		}
	}
	return links
}

// traceRound begins and ends the span of a round that does or sees something: it has the start of the round, and its context is for what
// follows from the round.
func (r *reconciler) traceRound(ctx context.Context, plan *reconcile.Plan) context.Context {
	if len(plan.Dial)+len(plan.Drop)+len(plan.Up)+len(plan.Down)+len(plan.Dropped)+len(plan.Forgotten) == 0 {
		return ctx
	}
	ctx, sp := r.tracer.Start(ctx, "convoke.reconcile", trace.WithNewRoot(), trace.WithTimestamp(r.schedule.begun), trace.WithLinks(r.linksTo(plan)...))
	if sp.IsRecording() {
		wanted := 0
		for name := range r.topologies {
			n, _ := r.ledger.Counts(name)
			wanted += n
		}
		sp.SetAttributes(attribute.String("convoke.connector", r.name), attribute.Int("convoke.wanted", wanted),
			attribute.Int("convoke.connected", len(r.list.peers)), attribute.Int("convoke.dialled", len(plan.Dial)), attribute.Int("convoke.dropped", len(plan.Drop)))
	}
	sp.End() // dials outlive the round
	return ctx
}

// traceCall begins the span of a dial or a disconnect.
func (r *reconciler) traceCall(ctx context.Context, name string, c reconcile.Call) (context.Context, trace.Span) {
	ctx, sp := r.tracer.Start(ctx, name)
	if sp.IsRecording() {
		sp.SetAttributes(attribute.String("convoke.topology", c.Topology))
		sp.SetAttributes(span.Server(c.Peer.Addr)...)
	}
	return ctx, sp
}

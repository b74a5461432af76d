package gossip

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/internal/span"
)

// traceHandshake begins the span of a dial with its handshake. Dials that nothing asked for, as those that heal, have none: there are as many as
// there are unreachable members, for ever, and metrics count them.
func (n *Node) traceHandshake(ctx context.Context, addr string) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, sp := n.tracer.Start(ctx, "convoke.gossip.handshake")
	if sp.IsRecording() {
		sp.SetAttributes(span.Server(addr)...)
	}
	return ctx, func(err error) {
		if r := (*rejection)(nil); errors.As(err, &r) && sp.IsRecording() {
			sp.SetAttributes(attribute.String("convoke.refusal", r.reason.String()))
		}
		span.End(sp, err)
	}
}

// String returns the reason as it is called in traces and in metrics.
func (r reason) String() string {
	return [reasons]string{"none", "foreign_cluster", "untrusted", "bad_handshake", "protocol", "protocol", "self", "too_many", "by_peer", "hung_up"}[r]
}

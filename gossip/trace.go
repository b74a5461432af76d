package gossip

import (
	"context"
	"errors"
	"net"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// tracerOf returns the tracer of a provider; nil traces nothing.
func tracerOf(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		p = noop.NewTracerProvider()
	}
	return p.Tracer("github.com/goconvoke/convoke/gossip")
}

// endSpan ends a span, with an error if there is one.
func endSpan(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}

// traceHandshake begins the span of a dial with its handshake. Dials that nothing asked for, as those that heal, have none: there are as many as
// there are unreachable members, for ever, and metrics count them.
func (n *Node) traceHandshake(ctx context.Context, addr string) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := n.tracer.Start(ctx, "convoke.gossip.handshake")
	if span.IsRecording() {
		if host, port, err := net.SplitHostPort(addr); err == nil {
			span.SetAttributes(attribute.String("server.address", host), attribute.String("server.port", port))
		}
	}
	return ctx, func(err error) {
		if r := (*rejection)(nil); errors.As(err, &r) && span.IsRecording() {
			span.SetAttributes(attribute.String("convoke.refusal", r.reason.String()))
		}
		endSpan(span, err)
	}
}

// String returns the reason as it is called in traces and in metrics.
func (r reason) String() string {
	return [reasons]string{"none", "foreign_cluster", "untrusted", "bad_handshake", "protocol", "protocol", "self", "too_many", "by_peer", "hung_up"}[r]
}

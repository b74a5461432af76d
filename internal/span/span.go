// Package span starts and ends spans of OTel's trace API, at almost no cost where nothing is traced.
package span

import (
	"context"
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Tracer starts spans. Its zero value traces nothing.
type Tracer struct{ tracer trace.Tracer }

// TracerOf returns the tracer of a package; a nil provider traces nothing.
func TracerOf(p trace.TracerProvider, pkg string) Tracer {
	if p == nil {
		return Tracer{}
	}
	return Tracer{p.Tracer(pkg)}
}

// Start starts a span, as [trace.Tracer] does. Where nothing is traced it returns ctx as it is, and allocates nothing.
func (t Tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if t.tracer == nil {
		return ctx, noop.Span{}
	}
	return t.tracer.Start(ctx, name, opts...)
}

// End ends a span, with an error if there is one.
func End(s trace.Span, err error) {
	if err != nil && s.IsRecording() {
		s.SetStatus(codes.Error, err.Error())
	}
	s.End()
}

// Server returns the attributes of the other side of a call at host:port, with the names and types of OTel's conventions: the port is a number. An
// address of another form has none.
func Server(addr string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil
	}
	return []attribute.KeyValue{attribute.String("server.address", host), attribute.Int64("server.port", int64(number))}
}

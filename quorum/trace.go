package quorum

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// tracerOf returns the tracer of a provider; nil traces nothing.
func tracerOf(p trace.TracerProvider) trace.Tracer {
	if p == nil {
		p = noop.NewTracerProvider()
	}
	return p.Tracer("github.com/goconvoke/convoke/quorum")
}

// traceRequest begins the span of a write, until it is committed or has failed; other requests have none.
func (q *Quorum) traceRequest(ctx context.Context, in core.Request) (context.Context, func(core.Code, error)) {
	if _, ok := in.(core.Write); !ok {
		return ctx, func(core.Code, error) {}
	}
	ctx, span := q.tracer.Start(ctx, "convoke.quorum.commit")
	return ctx, func(code core.Code, err error) {
		if err == nil {
			err = codeError(code)
		}
		if err != nil && span.IsRecording() {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

package quorum

import (
	"context"

	"github.com/goconvoke/convoke/internal/span"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// traceRequest begins the span of a write, until it is committed or has failed; other requests have none.
func (q *Quorum) traceRequest(ctx context.Context, in core.Request) (context.Context, func(core.Code, error)) {
	if _, ok := in.(core.Write); !ok {
		return ctx, func(core.Code, error) {}
	}
	ctx, sp := q.tracer.Start(ctx, "convoke.quorum.commit")
	return ctx, func(code core.Code, err error) {
		if err == nil {
			err = codeError(code)
		}
		span.End(sp, err)
	}
}

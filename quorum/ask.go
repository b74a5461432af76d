package quorum

import (
	"context"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// maxWait bounds a request whose context has no deadline.
const maxWait = 10 * time.Second

// withTimeout returns ctx with a deadline.
func withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, maxWait)
}

// ask has the leader carry out a read or write. It is sent again as long as no leader takes it, until ctx ends. The core ends a request shortly
// before ctx does, so that its result shows whether a leader took it.
func (p *parts) ask(ctx context.Context, with func(timeout time.Duration) core.Request) (core.Result, error) {
	for failures := 1; ; failures++ {
		if ctx.Err() != nil {
			return core.Result{Code: core.NoLeader}, nil
		}
		r, err := p.engine.request(ctx, with(timeoutOf(ctx)))
		if err != nil || r.Code != core.NoLeader {
			return r, err
		}
		_ = backoff.Sleep(ctx, backoff.Doubling(leastRetry, mostRetry, failures))
	}
}

// read has the leader carry out a read.
func (p *parts) read(ctx context.Context, in core.Read) (core.Result, error) {
	r, err := p.ask(ctx, func(timeout time.Duration) core.Request {
		in.Timeout = timeout
		return in
	})
	if err != nil && ctx.Err() != nil {
		return r, fmt.Errorf("%w: %w", ErrNoLeader, err)
	}
	if err == nil {
		err = resultError(ctx, r.Code)
	}
	return r, err
}

// Waits between requests that no leader took.
const (
	leastRetry = 50 * time.Millisecond
	mostRetry  = time.Second
)

// timeoutOf returns the time that the core has for a request.
func timeoutOf(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return maxWait
	}
	left := time.Until(deadline)
	return max(left-left/20, 0)
}

// resultError returns the error of a result, nil for OK. Without a leader the cause of the context is in it: a caller that gave up
// reads that it did.
func resultError(ctx context.Context, c core.Code) error {
	if c == core.NoLeader && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNoLeader, context.Cause(ctx))
	}
	return codeError(c)
}

// codeError returns the error of a result, nil for OK.
func codeError(c core.Code) error {
	switch c {
	case core.OK:
		return nil
	case core.Conflict:
		return ErrConflict
	case core.Full:
		return ErrFull
	case core.NoSession:
		return ErrLost
	case core.NoLeader:
		return ErrNoLeader
	case core.NotFound:
		return ErrNotFound
	case core.Pinned:
		return ErrPinned
	}
	return ErrUnknown
}

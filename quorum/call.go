package quorum

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// call is a function that runs for a shard, or waits to be run again.
type call struct {
	hold     Hold
	cancel   context.CancelCauseFunc
	ended    bool      // its context has ended
	deadline time.Time // when it has to return, once the context has ended
	returned bool
	late     bool          // it has not returned by its deadline
	gone     chan struct{} // closed when the function has returned for good
}

// Waits before a function that returned an error is called again.
const (
	leastPause = time.Second
	mostPause  = time.Minute
)

// begin begins a call. A grant that comes when the member takes part no longer is released unused.
func (w *worker) begin(ctx context.Context, h Hold) {
	if w.over || w.draining {
		_ = w.engine.post(stopped(h))
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	c := &call{hold: h, cancel: cancel, gone: make(chan struct{})}
	w.calls[h.Shard] = c
	w.sessions[h.state.session]++
	prepared := w.endStandby(h.Shard)
	w.wg.Go(func() {
		<-prepared
		w.run(ctx, c)
	})
}

func stopped(h Hold) core.Input {
	return core.Stopped{Group: h.Group, Shard: h.Shard, Token: core.Token(h.Token)}
}

// run calls the function, then releases the shard. The notice of the return is queued before the release, since the shard can be
// granted again right after it.
func (w *worker) run(ctx context.Context, c *call) {
	var err error
	defer func() {
		close(c.gone)
		alone := ctx.Err() == nil
		c.hold.state.over.Store(true)
		w.inbox.put(func(context.Context) { w.returned(c, alone, err) })
		if alone && w.single {
			w.retire()
		}
		_ = w.engine.post(stopped(c.hold))
	}()
	for failures := 1; ; failures++ {
		began := time.Now()
		err = w.invoke(ctx, c.hold)
		if w.single || ctx.Err() != nil {
			return
		}
		if err == nil {
			<-ctx.Done() // there is nothing to do for the shard, and no reason to give it up
			return
		}
		if time.Since(began) > mostPause {
			failures = 1
		}
		if pause(ctx, failures) != nil {
			return
		}
	}
}

// pause waits after a number of failures in a row.
func pause(ctx context.Context, failures int) error {
	return backoff.Sleep(ctx, backoff.Jitter(nil, backoff.Doubling(leastPause, mostPause, failures), 0.2))
}

// invoke calls the function once. Its error is logged, unless the context has ended.
func (w *worker) invoke(ctx context.Context, h Hold) error {
	err := w.guard(ctx, h, w.fn)
	if err != nil && ctx.Err() == nil && !errors.Is(err, errPanic) {
		w.log.Warn("function failed", "shard", h.Shard, "token", uint64(h.Token), "error", err)
	}
	return err
}

// errPanic is in the chain of an error that was a panic, which is logged already.
var errPanic = errors.New("panic")

// guard calls a function of the program. A panic becomes its error, and is logged with its stack.
func (w *worker) guard(ctx context.Context, h Hold, fn func(context.Context, Hold) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
			w.log.Error("function panicked", "shard", h.Shard, "token", uint64(h.Token), "error", err, "stack", string(debug.Stack()))
		}
	}()
	return fn(ctx, h)
}

// returned takes the return of a call; alone means that its context had not ended.
func (w *worker) returned(c *call, alone bool, err error) {
	w.endContext(c, nil)
	c.returned = true
	if c.late {
		w.stuck.Add(-1)
	}
	delete(w.calls, c.hold.Shard)
	if w.single && alone {
		w.failed = err != nil && !w.over
		w.finish(err)
	}
}

// endCall ends the context of a call. The deadline for its return runs from the first time.
func (w *worker) endCall(c *call, cause error) {
	if w.endContext(c, cause) {
		c.deadline = time.Now().Add(w.handover)
		w.ended = append(w.ended, c)
	}
}

// endContext ends the context of a call, which rests on the session no longer. It returns false if it has ended before.
func (w *worker) endContext(c *call, cause error) bool {
	if c.ended {
		return false
	}
	c.ended = true
	c.cancel(cause)
	if s := c.hold.state.session; w.sessions[s] > 1 {
		w.sessions[s]--
	} else {
		delete(w.sessions, s)
	}
	return true
}

package quorum

import (
	"context"
	"errors"
)

// WorkOption changes how Work works.
type WorkOption func(*worker)

// WithReady has Work call ready when this member is to hold a shard next, so that the program can prepare: load a cache, follow a log. It is no
// right to act: another member may work on the shard meanwhile. ready and fn of one shard never run at once in this process; where it has just lost the
// shard, ready begins when fn has returned. The context of ready ends when the member holds the shard, for which fn is called once ready has returned, or stands by no
// longer. Its error is logged. Only groups with Settings.Copies above 1 have standbys.
func WithReady(ready func(ctx context.Context, shard int) error) WorkOption {
	return func(w *worker) { w.ready = ready }
}

// preparation is a call of ready that runs for a shard.
type preparation struct {
	cancel   context.CancelFunc
	returned chan struct{}
}

// prepare begins the preparation for a shard, or ends it. It waits for the end of the one before, and of a call that
// has lost the shard.
func (w *worker) prepare(ctx context.Context, shard int, on bool) {
	before := w.endStandby(shard)
	if !on || w.ready == nil || w.over || w.draining {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &preparation{cancel: cancel, returned: make(chan struct{})}
	working := closed
	if c := w.calls[shard]; c != nil {
		working = c.gone
	}
	w.standbys[shard] = p
	w.wg.Go(func() {
		defer close(p.returned)
		<-before
		<-working
		w.invokeReady(ctx, shard)
	})
}

func (w *worker) invokeReady(ctx context.Context, shard int) {
	if ctx.Err() != nil {
		return
	}
	err := w.guard(ctx, Hold{Group: w.group.Name, Shard: shard}, func(ctx context.Context, h Hold) error { return w.ready(ctx, h.Shard) })
	if err != nil && ctx.Err() == nil && !errors.Is(err, errPanic) {
		w.log.Warn("standby could not prepare", "shard", shard, "error", err)
	}
}

// endStandby ends the context of a preparation. The channel is closed when it has returned.
func (w *worker) endStandby(shard int) (returned <-chan struct{}) {
	p := w.standbys[shard]
	if p == nil {
		return closed
	}
	p.cancel()
	return p.returned
}

func (w *worker) endStandbys() {
	for shard := range w.standbys {
		w.endStandby(shard)
	}
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

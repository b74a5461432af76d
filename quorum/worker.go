package quorum

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// worker runs a function for each shard of a group that this member holds. One goroutine, that of work, owns its state; the engine
// and the calls hand it events.
type worker struct {
	engine engine
	log    hclog.Logger
	group  core.GroupSettings
	fn     func(ctx context.Context, h Hold) error
	ready  func(ctx context.Context, shard int) error // nil: standbys do not prepare
	single bool                                       // a return of fn while its context lives ends the work
	// margin is how long before the end of the lease contexts end, so that functions have time to stop.
	margin   time.Duration
	handover time.Duration
	then     HandoverThen

	inbox inbox
	done  chan struct{} // closed when work has returned
	wg    sync.WaitGroup
	stuck atomic.Int64 // calls that have not returned by their deadlines

	// owned by work
	calls    map[int]*call  // by shard
	sessions map[uint64]int // how many calls with a live context rest on a session
	standbys map[int]*preparation
	ended    []*call // whose contexts have ended, in this order
	draining bool    // work is over when no call is left
	over     bool    // the same, and every context has ended
	err      error   // what work returns
	failed   bool    // err is an error of fn
}

func (p *parts) newWorker(group core.GroupSettings, s Settings, fn func(ctx context.Context, h Hold) error) *worker {
	return &worker{engine: p.engine, log: p.log.With("group", group.Name), group: group, fn: fn, margin: p.lease / 10, handover: s.Handover, then: s.HandoverThen,
		inbox: newInbox(), done: make(chan struct{}), calls: map[int]*call{}, sessions: map[uint64]int{}, standbys: map[int]*preparation{}}
}

// start, stop, standby and refused are called by the engine.

func (w *worker) start(shard int, token core.Token, session uint64) {
	w.inbox.put(func(ctx context.Context) { w.begin(ctx, newHold(w.engine, w.group.Name, shard, token, session)) })
}

func (w *worker) stop(shard int, token core.Token, lost bool) {
	w.inbox.put(func(context.Context) {
		c := w.calls[shard]
		if c == nil || c.hold.Token != Token(token) {
			return
		}
		cause := ErrRevoked
		if lost {
			c.hold.state.over.Store(true)
			cause = ErrLost
		}
		w.endCall(c, cause)
	})
}

func (w *worker) standby(shard int, on bool) {
	w.inbox.put(func(ctx context.Context) { w.prepare(ctx, shard, on) })
}

func (w *worker) refused(have core.GroupSettings) {
	w.inbox.put(func(context.Context) { w.finish(checkGroup(w.group, have)) })
}

// work takes part in the group until ctx ends, or something else ends it, and all calls have returned.
func (w *worker) work(ctx context.Context) error {
	defer close(w.done)
	if !w.engine.register(w.group.Name, w) {
		return ErrWorking
	}
	err := w.engine.post(core.Serve{Group: w.group})
	if err == nil {
		err = w.loop(ctx)
	}
	w.engine.unregister(w.group.Name)
	w.over = true
	w.handleEvents(ctx) // a shard that was granted meanwhile is released
	return err
}

func (w *worker) loop(ctx context.Context) error {
	timer := time.NewTimer(far)
	defer timer.Stop()
	canceled, stopped := ctx.Done(), w.engine.done()
	for !w.over && !w.draining || len(w.calls) > 0 {
		timer.Reset(w.untilCheck())
		select {
		case <-canceled:
			canceled = nil
			w.finish(ctx.Err())
		case <-stopped:
			stopped = nil
			w.finish(ErrStopped)
		case <-w.inbox.ready:
			w.handleEvents(ctx)
		case <-timer.C:
			w.checkLeases()
			if w.checkDeadlines() && w.then == Exit {
				w.finish(ErrStuck)
				return ErrStuck
			}
		}
	}
	w.endStandbys()
	w.wg.Wait()
	return w.err
}

func (w *worker) handleEvents(ctx context.Context) {
	for _, event := range w.inbox.take() {
		event(ctx)
	}
}

// far is the wait for nothing in particular.
const far = time.Hour

// finish ends all contexts; work returns err when the calls have returned.
func (w *worker) finish(err error) {
	if w.over {
		return
	}
	w.over, w.err = true, err
	w.retire()
	w.endStandbys()
	for _, c := range w.calls {
		w.endCall(c, err)
	}
}

// drain ends work with nil once the leader has given all shards to other members.
func (w *worker) drain() {
	w.draining = true
	w.retire()
}

// retire ends the part of this member in the group. After the end of the engine there is none.
func (w *worker) retire() {
	group := w.group
	group.Weight = 0
	_ = w.engine.post(core.Serve{Group: group})
}

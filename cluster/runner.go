package cluster

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/goconvoke/convoke/internal/hist"
	"github.com/goconvoke/convoke/internal/span"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// runner keeps one configuration of a strategy running, in a goroutine of its own.
type runner struct {
	topology string // its name
	config   *strategy.Configured
	mailbox  *mailbox
	cancel   context.CancelFunc
	stopped  chan struct{} // closed when the goroutine has returned

	selfChanged chan struct{}   // of one: Env.SelfChanged of every attempt
	lookups     *hist.Histogram // of the topology
	tracer      span.Tracer
	lookup      atomic.Pointer[trace.SpanContext] // of the lookup whose answer is about to be reported; nil: none

	next atomic.Int64 // when the next lookup is due, in ns since 1970; 0: not known

	crashed int // the last attempt that has crashed; owned by the reconciler that owns the topology
}

// startRunner starts the configured strategy of a topology.
func (r *reconciler) startRunner(ctx context.Context, t *topology) *runner {
	ctx, cancel := context.WithCancel(ctx)
	run := &runner{
		topology: t.settings.Name, config: t.settings.Config, mailbox: t.mailbox, cancel: cancel, stopped: make(chan struct{}),
		selfChanged: make(chan struct{}, 1), lookups: &t.lookups, tracer: r.tracer,
	}
	env := r.strategyEnv(run, t.settings)
	r.tasks.start("strategy of topology "+run.topology, func() {
		defer close(run.stopped)
		run.run(ctx, env)
	})
	return run
}

// strategyEnv returns what the strategy of a topology may use. Self asks the connector that the topology is on now: a reload may have moved it.
func (s *shared) strategyEnv(run *runner, t Topology) strategy.Env {
	return strategy.Env{
		Log:         s.log.Named("strategy").With("topology", t.Name, "strategy", t.Config.Kind),
		Topology:    t.Name,
		ClusterID:   s.node.Cluster,
		Self:        func() []peer.Peer { return s.self(run.mailbox.reader.Load().base) },
		SelfChanged: run.selfChanged,
		BeginLookup: run.beginLookup,
		Resolver:    s.resolver,
	}
}

// beginLookup measures and traces a lookup of the strategy.
func (run *runner) beginLookup(ctx context.Context) (context.Context, func(int, error)) {
	began := time.Now()
	ctx, end := run.traceLookup(ctx)
	return ctx, func(found int, err error) {
		run.lookups.Observe(time.Since(began))
		end(found, err)
	}
}

// signalSelf wakes the strategy because Env.Self may return something else now. It does not wait: a signal that was not read yet stands
// for this one too, since the strategy asks for Self after reading it.
func (run *runner) signalSelf() {
	select {
	case run.selfChanged <- struct{}{}:
	default:
	}
}

// stopRunner ends a runner. A strategy that runs on is named in the log, and its reports are dropped.
func (s *shared) stopRunner(run *runner) {
	run.cancel()
	s.tasks.start("stop of strategy of topology "+run.topology, func() {
		late := time.NewTimer(stopGrace)
		defer late.Stop()
		select {
		case <-run.stopped:
		case <-late.C:
			s.reporter.error("strategy does not stop and is left behind", "topology", run.topology, "strategy", run.config.Kind)
		}
	})
}

// run runs the strategy until ctx is done, again after every crash. Each attempt has a number, from 1.
func (run *runner) run(ctx context.Context, env strategy.Env) {
	var restarts restart
	for attempt := 1; ; attempt++ {
		started := time.Now()
		out := &sink{run: run, attempt: attempt, done: ctx.Done()}
		err := recoverPanic(func() error {
			made, err := run.config.New(env)
			if err != nil {
				return err
			}
			return made.Run(ctx, out)
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it returned before its context ended")
		}
		out.postReport(report{kind: reportCrash, err: err})
		if strategy.IsPermanent(err) || !restarts.wait(ctx, time.Since(started)) {
			return
		}
	}
}

package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/goconvoke/convoke/connector"
)

const (
	stopGrace    = 5 * time.Second // in which what was stopped must end, before it is named in the log
	leaveTimeout = 5 * time.Second
)

// Run runs until ctx is done, leaves the cluster and returns when everything has stopped. It returns the cause of ctx's end. Call it
// once.
//
// The end comes in this order: strategies, reconcilers and calls of connectors; [connector.Leaver]; connectors. What does not stop
// within 5 s is named in the log and left behind.
func (s *Supervisor) Run(ctx context.Context) error {
	config, err := s.board.start()
	if err != nil {
		return err
	}
	// Two contexts, because the loops end with ctx and the connectors must not: they serve the calls under way, and then Leave.
	loops, stopLoops := context.WithCancel(ctx)
	defer stopLoops()
	services, stopServices := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServices()
	s.startServices(services)
	s.logWarnings(config, nil)
	l := newLayout(&s.shared)
	l.apply(loops, config)
	s.tasks.start("reminders", func() { s.reportLoop(loops) })
	if s.reload {
		s.tasks.start("reload", func() { s.watchConfig(loops) })
	}
	l.run(loops, s.applications)
	close(s.stopped)
	s.board.end()

	s.tasks.wait(s.log, stopGrace)
	s.leaveConnectors(services)
	stopServices()
	s.services.wait(s.log, stopGrace)
	s.feed.close()
	return context.Cause(ctx)
}

// startServices starts the writer of the log, and the connectors that run or report what happens to this node.
func (s *Supervisor) startServices(ctx context.Context) {
	s.services.start("log", func() { s.reporter.run(ctx) })
	for name, c := range s.connectors {
		if source, ok := c.(connector.NoticeSource); ok {
			s.services.start("notices of connector "+name, func() { s.publishNotices(ctx, name, source.Notices()) })
		}
		if r, ok := c.(connector.Runner); ok {
			s.services.start("connector "+name, func() { s.runConnector(ctx, name, r) })
		}
	}
}

// runConnector keeps a connector running.
func (s *Supervisor) runConnector(ctx context.Context, name string, r connector.Runner) {
	var restarts restart
	for {
		started := time.Now()
		err := recoverPanic(func() error { return r.Run(ctx) })
		if ctx.Err() != nil {
			return
		}
		s.log.Error("connector stopped and is restarted", append([]any{"connector", name}, errorArgs(err)...)...)
		if !restarts.wait(ctx, time.Since(started)) {
			return
		}
	}
}

// leaveConnectors calls Leave on every connector that has it, all at once.
func (s *Supervisor) leaveConnectors(ctx context.Context) {
	var wg sync.WaitGroup
	for name, c := range s.connectors {
		l, ok := c.(connector.Leaver)
		if !ok {
			continue
		}
		wg.Go(func() {
			_, err := callWithDeadline(&s.services, ctx, leaveTimeout, "leave on connector "+name, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, l.Leave(ctx)
			})
			if err != nil {
				s.log.Warn("leave failed", append([]any{"connector", name}, errorArgs(err)...)...)
			}
		})
	}
	wg.Wait()
}

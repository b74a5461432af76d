package connectortest

import (
	"context"
	"runtime"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/connector"
)

// requireRunner skips a check of a connector without a life of its own.
func (r *fixture) requireRunner() connector.Runner {
	r.Helper()
	runner, ok := r.c.(connector.Runner)
	if !ok {
		r.Skipf("the connector has no method Run")
	}
	return runner
}

func listBeforeRun(r *fixture) {
	r.requireRunner()
	r.checkUnknown("before Run")
}

func listAfterRun(r *fixture) {
	r.requireRunner()
	stop := r.start()
	stop()
	r.checkUnknown("after Run")
}

// checkUnknown checks that a connector that cannot know its peers returns an error.
func (r *fixture) checkUnknown(when string) {
	r.Helper()
	if all, err := r.c.List(r.Context()); err == nil {
		r.Errorf("List() %s = %v, nil, want an error: unknown is not empty", when, all)
	}
}

func quietBeforeRun(r *fixture) {
	r.requireRunner()
	r.checkNoPanic("before Run")
}

func quietAfterRun(r *fixture) {
	r.requireRunner()
	stop := r.start()
	if r.s.Peer != nil {
		r.connectPeer()
	}
	stop()
	r.checkNoPanic("after Run")
	if err := r.connectTo(stranger); err == nil {
		r.Errorf("Connect(%v) after Run = nil, want an error", stranger)
	}
}

// checkNoPanic calls every method.
func (r *fixture) checkNoPanic(when string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), soon)
	defer cancel()
	for _, c := range allCalls(r.c, ctx, stranger) {
		var panicked any
		returned := r.returnsWithin(2*soon, func() {
			defer func() { panicked = recover() }()
			c.run()
		})
		switch {
		case !returned:
			r.Errorf("%s %s has not returned within %v", c.name, when, 2*soon)
		case panicked != nil:
			r.Errorf("%s %s panicked: %v", c.name, when, panicked)
		}
	}
}

func runBlocks(r *fixture) {
	runner := r.requireRunner()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	r.eventually("List works after Run was called", func() bool {
		_, err := r.c.List(r.Context())
		return err == nil || len(ended) > 0
	})
	select {
	case err := <-ended:
		r.Errorf("Run returned %v before its ctx was done", err)
		return
	case <-time.After(100 * time.Millisecond):
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(r.s.Patience):
		r.Errorf("Run has not returned %v after its ctx was done", r.s.Patience)
	}
}

// noGoroutines compares their number before and after a life; it is that of the whole program, so nothing
// else may start any meanwhile.
func noGoroutines(r *fixture) {
	r.requireRunner()
	var connect func()
	if r.s.Peer != nil {
		p := r.newPeer()
		connect = func() { _ = r.connectTo(p) }
	}
	before := r.settledGoroutines(0)
	stop := r.start()
	if connect != nil {
		connect()
	}
	stop()
	if after := r.settledGoroutines(before); after > before {
		r.Errorf("%d goroutines are left after Run, %d were there before:\n%s", after, before, goroutineStacks())
	}
}

// settledGoroutines waits until the number of goroutines is at most want, or has not changed for a while, and returns it.
func (r *fixture) settledGoroutines(want int) int {
	const while = 40 // ticks
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	late := time.Now().Add(r.s.Patience)
	last := runtime.NumGoroutine()
	for same := 0; same < while && time.Now().Before(late); same++ {
		<-tick.C
		if r.s.Bubble {
			synctest.Wait()
		}
		n := runtime.NumGoroutine()
		if want > 0 && n <= want {
			return n
		}
		if n != last {
			same, last = 0, n
		}
	}
	return last
}

// goroutineStacks returns the stacks of all goroutines, at most 64 KiB of them.
func goroutineStacks() []byte {
	text := make([]byte, 64<<10)
	return text[:runtime.Stack(text, true)]
}

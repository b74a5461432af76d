package connectortest

import (
	"context"
	"runtime"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/connector"
)

// runner skips a check of a connector without a life of its own.
func (r *rig) runner() connector.Runner {
	r.Helper()
	runner, ok := r.c.(connector.Runner)
	if !ok {
		r.Skipf("the connector has no method Run")
	}
	return runner
}

func listBeforeRun(r *rig) {
	r.runner()
	r.unknown("before Run")
}

func listAfterRun(r *rig) {
	r.runner()
	stop := r.start()
	stop()
	r.unknown("after Run")
}

// unknown checks that a connector that cannot know its peers returns an error.
func (r *rig) unknown(when string) {
	r.Helper()
	if all, err := r.c.List(r.Context()); err == nil {
		r.Errorf("List() %s = %v, nil, want an error: unknown is not empty", when, all)
	}
}

func quietBeforeRun(r *rig) {
	r.runner()
	r.quiet("before Run")
}

func quietAfterRun(r *rig) {
	r.runner()
	stop := r.start()
	if r.s.Peer != nil {
		r.connect()
	}
	stop()
	r.quiet("after Run")
	if err := r.connectTo(stranger); err == nil {
		r.Errorf("Connect(%v) after Run = nil, want an error", stranger)
	}
}

// quiet calls every method.
func (r *rig) quiet(when string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), soon)
	defer cancel()
	for _, c := range calls(r.c, ctx, stranger) {
		var panicked any
		returned := r.within(2*soon, func() {
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

func runBlocks(r *rig) {
	runner := r.runner()
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
func noGoroutines(r *rig) {
	r.runner()
	var connect func()
	if r.s.Peer != nil {
		p := r.peer()
		connect = func() { _ = r.connectTo(p) }
	}
	before := r.settled(0)
	stop := r.start()
	if connect != nil {
		connect()
	}
	stop()
	if after := r.settled(before); after > before {
		r.Errorf("%d goroutines are left after Run, %d were there before:\n%s", after, before, stacks())
	}
}

// settled waits until the number of goroutines is at most want, or has not changed for a while, and returns it.
func (r *rig) settled(want int) int {
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

// stacks returns the stacks of all goroutines, at most 64 KiB of them.
func stacks() []byte {
	text := make([]byte, 64<<10)
	return text[:runtime.Stack(text, true)]
}

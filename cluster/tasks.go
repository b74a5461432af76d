package cluster

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// tasks are the goroutines of a supervisor, known by what they do, so that one which does
// not end can be named.
type tasks struct {
	mu      sync.Mutex
	running map[string]int
	change  chan struct{} // closed and replaced when a task ends
}

// start runs f in a goroutine of its own.
func (t *tasks) start(name string, f func()) {
	t.mu.Lock()
	if t.running == nil {
		t.running = make(map[string]int)
		t.change = make(chan struct{})
	}
	t.running[name]++
	t.mu.Unlock()
	go func() {
		defer t.done(name)
		f()
	}()
}

func (t *tasks) done(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[name]--; t.running[name] == 0 {
		delete(t.running, name)
	}
	close(t.change)
	t.change = make(chan struct{})
}

// left returns the names of the tasks that run and a channel that is closed at the next end.
func (t *tasks) left(which func(string) bool) ([]string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := slices.Sorted(maps.Keys(t.running))
	if which != nil {
		names = slices.DeleteFunc(names, func(n string) bool { return !which(n) })
	}
	return names, t.change
}

// wait waits until the tasks have ended. Those that have not after the grace period are named
// in the log and left behind.
func (t *tasks) wait(log hclog.Logger, grace time.Duration, which func(string) bool) {
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	for {
		names, change := t.left(which)
		if len(names) == 0 {
			return
		}
		select {
		case <-change:
		case <-deadline.C:
			log.Error("tasks did not stop in time and are left behind", "tasks", names, "elapsed", grace)
			return
		}
	}
}

// overdueGrace is how long a call may outlast its deadline before it counts as overdue.
const overdueGrace = 100 * time.Millisecond

// errOverdue is the error of a call that still runs although its deadline has passed; done is closed when it returns.
type errOverdue struct {
	what    string
	timeout time.Duration
	done    <-chan struct{}
}

func (e *errOverdue) Error() string {
	return fmt.Sprintf("%s still runs past its deadline of %v", e.what, e.timeout)
}

// call runs f under a deadline in a task of its own. It returns soon after the deadline even if
// f does not: then the error is an *errOverdue. A panic is returned as an error.
func call[T any](s *Supervisor, ctx context.Context, timeout time.Duration, what string, f func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	var result T
	var err error
	done := make(chan struct{})
	s.tasks.start(what, func() {
		defer cancel()
		defer close(done)
		err = guard(func() (e error) { result, e = f(limited); return e })
	})
	select {
	case <-done:
		return result, err
	case <-limited.Done():
	}
	grace := time.NewTimer(overdueGrace)
	defer grace.Stop()
	select {
	case <-done:
		return result, err
	case <-grace.C:
		var none T
		return none, &errOverdue{what, timeout, done}
	}
}

// guard calls f; a panic becomes an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: string(debug.Stack())}
		}
	}()
	return f()
}

// panicError is a panic in foreign code.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

const (
	minRestart   = time.Second
	maxRestart   = time.Minute
	restartReset = 5 * time.Minute // of life, after which a crash counts as the first again
)

// backoff is the wait between a crash and the restart: 1 s doubling to 60 s, half of it at random.
type backoff struct{ crashes int }

// wait waits after a crash at this age. It returns false when ctx is done.
func (b *backoff) wait(ctx context.Context, age time.Duration) bool {
	if age >= restartReset {
		b.crashes = 0
	}
	d := maxRestart
	if b.crashes < 6 {
		d = minRestart << b.crashes
	}
	b.crashes++
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

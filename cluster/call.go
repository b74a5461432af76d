package cluster

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// overrunGrace is how long a call may outlast its deadline before it counts as overrun: code that honours its context needs a moment to
// return, more of them on a busy machine.
const overrunGrace = 100 * time.Millisecond

// errOverran is the error of a call that did not return by its deadline and still runs. done is closed when it returns.
type errOverran struct {
	what    string
	timeout time.Duration
	done    <-chan struct{}
}

func (e *errOverran) Error() string {
	return fmt.Sprintf("%s did not return by its deadline of %v", e.what, e.timeout)
}

// callWithDeadline runs f under a deadline in a task of its own. It returns soon after the deadline even if f does not: then the error is an
// *errOverran. A panic is returned as an error.
func callWithDeadline[T any](t *tasks, ctx context.Context, timeout time.Duration, what string, f func(context.Context) (T, error)) (T, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	var result T
	var err error
	done := make(chan struct{})
	t.start(what, func() {
		defer cancel()
		defer close(done)
		err = recoverPanic(func() (e error) { result, e = f(limited); return e })
	})
	select {
	case <-done:
		return result, err
	case <-limited.Done():
	}
	grace := time.NewTimer(overrunGrace)
	defer grace.Stop()
	select {
	case <-done:
		return result, err
	case <-grace.C:
		var none T
		return none, &errOverran{what, timeout, done}
	}
}

// recoverPanic calls f; a panic becomes an error.
func recoverPanic(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicError{value: r, stack: string(debug.Stack())}
		}
	}()
	return f()
}

// panicError is a panic in code of others.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

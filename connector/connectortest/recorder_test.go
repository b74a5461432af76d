package connectortest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// recorder is a testing.TB that writes down what a check reports instead of failing.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	text     strings.Builder
	cleanups []func()
}

// record runs f as a test and returns what it reported, its clean-up included.
func record(t *testing.T, f func(testing.TB)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func (r *recorder) add(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.text, format+"\n", args...)
}

func (r *recorder) Helper() {}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) { r.add(format, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.add(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.add("%s", fmt.Sprint(args...))
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.add("skip: "+format, args...)
	runtime.Goexit()
}

package integration

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
)

// callWithin bounds a request over a socket. It is longer than any node is frozen, so that what was sent to a frozen one is done and
// answered once it runs again.
const callWithin = 30 * time.Second

// call asks the node in a host as a command does, over its socket but without a process: path is below /api/v1/. It needs no living
// [agent.Agent], so it may be used from any goroutine while nodes come and go.
func (f *fleet) call(ctx context.Context, host int, method, path string, body, v any) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	end, _ := ctx.Deadline() // it has one
	path, flags, _ := strings.Cut(path, "?")
	query, err := url.ParseQuery(flags)
	if err != nil {
		return err
	}
	query.Set("timeout", strconv.FormatFloat(max(time.Until(end).Seconds(), 0.001), 'f', -1, 64))
	return admin.NewClient(admin.Paths(f.disk(host), f.spec.Cluster, name(host))[0]).Do(ctx, method, "/api/v1/"+path, query, body, v)
}

// setShared has a node write a shared key and returns when it has done so.
func (f *fleet) setShared(ctx context.Context, host int, key, value string) error {
	return f.call(ctx, host, http.MethodPut, "shared/"+url.PathEscape(key), valueOf(value), nil)
}

// valueOf is the body that writes a value.
func valueOf(value string) ops.KeyWrite { return ops.KeyWrite{Value: (*ops.Text)(&value)} }

// writer is a goroutine that has one node write without a pause.
type writer struct {
	done  atomic.Int64 // writes that were acknowledged
	ended chan struct{}
	stop  func() // and wait for it
}

// writes begins to write a shared key at a node: the n-th write is key(n) = value(n). A write that fails is a failure of the test.
func (f *fleet) writes(host int, every time.Duration, pair func(n int) (key, value string)) *writer {
	ctx, cancel := context.WithCancel(f.t.Context())
	w := &writer{ended: make(chan struct{})}
	w.stop = sync.OnceFunc(func() { cancel(); <-w.ended })
	f.t.Cleanup(w.stop)
	go func() {
		defer close(w.ended)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			key, value := pair(n)
			if err := f.setShared(context.WithoutCancel(ctx), host, key, value); err != nil {
				f.t.Errorf("write %d at %s: %v", n, name(host), err)
				return
			}
			w.done.Add(1)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return w
}

// goesOn waits until there were so many more writes.
func (w *writer) goesOn(t *testing.T, more int64, within time.Duration) {
	t.Helper()
	since, late := w.done.Load(), time.After(within)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for w.done.Load() < since+more {
		select {
		case <-tick.C:
		case <-w.ended:
			t.Fatal("the writes have ended")
		case <-late:
			t.Fatalf("%d writes within %v, want %d", w.done.Load()-since, within, more)
		}
	}
}

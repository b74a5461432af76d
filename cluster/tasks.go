package cluster

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// tasks are goroutines that are waited for together, known by what they do, so that one that does not end can be named.
type tasks struct {
	mu      sync.Mutex // guards what follows
	running map[string]int
	change  chan struct{} // closed and replaced when a task ends
}

// start runs f in a goroutine of its own.
func (t *tasks) start(name string, f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running == nil {
		t.running = make(map[string]int)
		t.change = make(chan struct{})
	}
	t.running[name]++
	go func() {
		defer t.done(name)
		f()
	}()
}

// done notes the end of one of the tasks of a name; several may have one, such as two dials of a peer of two topologies.
func (t *tasks) done(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[name]--; t.running[name] == 0 {
		delete(t.running, name)
	}
	close(t.change)
	t.change = make(chan struct{})
}

// left returns the names of the tasks that run, sorted, and a channel that is closed at the next end.
func (t *tasks) left() ([]string, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.running)), t.change
}

// wait waits until all tasks have ended, for the grace period at most. Those that have not are named in the log and left behind.
func (t *tasks) wait(log hclog.Logger, grace time.Duration) {
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	for {
		names, change := t.left()
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

package quorum

import (
	"context"
	"sync"
)

// inbox hands events to the goroutine that owns a worker. Putting never blocks. It is bounded by what can be under way for a group: a start, its
// end and its return for each shard.
type inbox struct {
	ready chan struct{} // holds one

	mu     sync.Mutex
	events []func(ctx context.Context)
}

func newInbox() inbox { return inbox{ready: make(chan struct{}, 1)} }

func (b *inbox) put(event func(ctx context.Context)) {
	b.mu.Lock()
	b.events = append(b.events, event)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns the events in the order in which they were put.
func (b *inbox) take() []func(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events = nil
	return events
}

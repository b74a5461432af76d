package cluster

import (
	"context"
	"maps"
	"sync"
	"time"
)

// feed hands events to its readers, and waits for none of them.
type feed struct {
	mu      sync.Mutex // guards what follows, and the backlogs of the readers
	readers map[*reader]bool
	counts  map[EventKind]uint64
	closed  bool
}

// readerBacklog bounds the events that wait for one reader. Beyond it the oldest are dropped and counted in Event.Missed: the newest are
// those that still hold.
const readerBacklog = 1024

// reader is one reader's backlog.
type reader struct {
	feed   *feed
	wake   chan struct{} // of one
	events []Event       // guarded by feed.mu, as missed
	missed int
}

func (f *feed) init() {
	f.readers, f.counts = make(map[*reader]bool), make(map[EventKind]uint64)
}

// subscribe adds a reader, which gets what is emitted from now on.
func (f *feed) subscribe() *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &reader{feed: f, wake: make(chan struct{}, 1)}
	f.readers[r] = true
	return r
}

// unsubscribe removes a reader, which may be gone already, and wakes it.
func (f *feed) unsubscribe(r *reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.readers, r)
	r.signal()
}

// emit publishes an event that happens now.
func (f *feed) emit(e Event) {
	e.At = time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[e.Kind]++
	for r := range f.readers {
		if len(r.events) == readerBacklog {
			r.events = r.events[1:]
			r.missed++
		}
		r.events = append(r.events, e)
		r.signal()
	}
}

// counted returns the number of events of each kind that has occurred.
func (f *feed) counted() map[EventKind]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}

// close ends every sequence after what was published.
func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for r := range f.readers {
		r.signal()
	}
}

func (r *reader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// next waits for an event; ok is false when there will be no more.
func (r *reader) next(ctx context.Context) (e Event, ok bool) {
	for {
		r.feed.mu.Lock()
		over := r.feed.closed || !r.feed.readers[r]
		if len(r.events) > 0 {
			e, r.events = r.events[0], r.events[1:]
			e.Missed, r.missed = r.missed, 0
			r.feed.mu.Unlock()
			return e, true
		}
		r.feed.mu.Unlock()
		if over {
			return Event{}, false
		}
		select {
		case <-ctx.Done():
			return Event{}, false
		case <-r.wake:
		}
	}
}

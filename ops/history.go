package ops

import (
	"sync"
	"time"

	"github.com/goconvoke/convoke/cluster"
)

// keptEvents is how many events are kept.
const keptEvents = 1024

// history keeps the newest events. Readers have a place of their own in it, so that a slow one costs nothing and delays no other.
type history struct {
	mu     sync.Mutex // guards all below
	events [keptEvents]Event
	first  uint64        // ID of the first event of this process
	next   uint64        // ID of the next one; events are at their ID modulo keptEvents
	more   chan struct{} // closed and replaced with each event
}

// init begins with an ID that is greater than those of earlier lives, as long as they had less than 1,000 events a second.
func (h *history) init(started time.Time) {
	h.first = uint64(started.UnixMilli())
	h.next, h.more = h.first, make(chan struct{})
}

func (h *history) add(e cluster.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events[h.next%keptEvents] = eventOf(h.next, e)
	h.next++
	close(h.more)
	h.more = make(chan struct{})
}

// end returns the ID of the next event.
func (h *history) end() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.next
}

// after returns at most n events that follow an ID, how many that did are no longer kept, and a channel that is closed when there are
// more. An ID of an earlier life counts as the one before the first.
func (h *history) after(id uint64, n int) (events []Event, missed int, more <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	from := max(id+1, h.first)
	if id >= h.next {
		from = h.next // of a client that made it up
	}
	if kept := h.next - h.first; kept > keptEvents && from < h.next-keptEvents {
		missed = int(h.next - keptEvents - from)
		from = h.next - keptEvents
	}
	for ; from < h.next && len(events) < n; from++ {
		events = append(events, h.events[from%keptEvents])
	}
	return events, missed, h.more
}

// newest returns the last n events, oldest first.
func (h *history) newest(n int) []Event {
	end := h.end()
	events, _, _ := h.after(end-uint64(min(n, keptEvents))-1, n)
	return events
}

// Events returns the newest n events at most, oldest first; 1,024 are kept.
func (a *API) Events(n int) []Event { return a.history.newest(n) }

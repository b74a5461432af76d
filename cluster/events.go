package cluster

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// EventKind is what happened.
type EventKind string

// The kinds of events.
const (
	PeerConnected     EventKind = "connected"          // a wanted peer is connected
	PeerLost          EventKind = "lost"               // a wanted peer is no longer connected
	PeerDropped       EventKind = "dropped"            // a peer that is no longer found was disconnected
	PeerForgotten     EventKind = "forgotten"          // a peer that could not be reached was not named by any answer for 10 minutes
	PeerUnlisted      EventKind = "unlisted"           // connect succeeds, but the list never shows the peer; once
	PeerForeign       EventKind = "foreign"            // a peer belongs to another cluster
	PeerUntrusted     EventKind = "untrusted"          // the keys or certificates of a peer are not those of this node
	DialFailed        EventKind = "dial_failed"        // a peer cannot be reached; repeated every 10 minutes
	DisconnectFailed  EventKind = "disconnect_failed"  // a peer that is no longer found cannot be disconnected; once
	SourceFailed      EventKind = "source_failed"      // a source gives no answer; the last one stands
	SourceRecovered   EventKind = "source_recovered"   // and gives one again
	SourceStale       EventKind = "source_stale"       // the last complete answer is older than 90 s
	StrategyRestarted EventKind = "strategy_restarted" // a strategy crashed and is started again
	StrategyFailed    EventKind = "strategy_failed"    // a strategy cannot work here
	SelfMissing       EventKind = "self_missing"       // this node is no longer in the answers
	TopologyFormed    EventKind = "formed"             // it is whole for the first time; once
	TopologyWhole     EventKind = "whole"
	TopologyNotWhole  EventKind = "not_whole" // any longer
	TopologyAdded     EventKind = "topology_added"
	TopologyChanged   EventKind = "topology_changed"
	TopologyRemoved   EventKind = "topology_removed"
	Reloaded          EventKind = "reloaded"
	ReloadFailed      EventKind = "reload_failed" // the configuration file has mistakes
)

// Event is one change. Fields that do not apply are zero.
type Event struct {
	At        time.Time
	Kind      EventKind
	Topology  string
	Connector string
	Peer      peer.Peer
	Err       error
	Missed    int // events lost just before this one, because the reader was too slow
}

// String returns the event as one line without the time.
func (e Event) String() string {
	parts := []string{string(e.Kind)}
	if e.Topology != "" {
		parts = append(parts, "topology "+e.Topology)
	}
	if e.Peer != (peer.Peer{}) {
		parts = append(parts, e.Peer.String())
	}
	line := strings.Join(parts, ", ")
	if e.Err != nil {
		line += ": " + e.Err.Error()
	}
	if e.Missed > 0 {
		line += fmt.Sprintf(" (%d events missed before)", e.Missed)
	}
	return line
}

// Events returns what happens from now on. The sequence ends with ctx or with Run. A reader that falls behind
// by more than 1,024 events loses the oldest ones; Missed of the next one is their number. A slow
// reader delays nothing else. Range over it once.
func (s *Supervisor) Events(ctx context.Context) iter.Seq[Event] {
	r := s.feed.subscribe()
	stop := context.AfterFunc(ctx, func() { s.feed.unsubscribe(r) })
	return func(yield func(Event) bool) {
		defer stop()
		defer s.feed.unsubscribe(r)
		for {
			e, ok := r.next(ctx)
			if !ok || !yield(e) {
				return
			}
		}
	}
}

// emit publishes an event.
func (s *Supervisor) emit(e Event) {
	e.At = time.Now()
	s.feed.publish(e)
}

// feed hands events to its readers.
type feed struct {
	mu      sync.Mutex
	readers map[*reader]bool
	closed  bool
}

const readerBacklog = 1024

// reader is one reader's backlog.
type reader struct {
	feed   *feed
	wake   chan struct{} // of one
	events []Event       // guarded by feed.mu, as missed
	missed int
}

func (f *feed) init() { f.readers = make(map[*reader]bool) }

func (f *feed) subscribe() *reader {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &reader{feed: f, wake: make(chan struct{}, 1)}
	f.readers[r] = true
	return r
}

func (f *feed) unsubscribe(r *reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.readers, r)
	r.signal()
}

func (f *feed) publish(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for r := range f.readers {
		if len(r.events) == readerBacklog {
			r.events = r.events[1:]
			r.missed++
		}
		r.events = append(r.events, e)
		r.signal()
	}
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

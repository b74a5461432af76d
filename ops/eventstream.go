package ops

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// The names of server-sent events, with what they carry.
const (
	EventPair   = "pair"   // a Pair
	EventTerm   = "term"   // a Term
	EventEvent  = "event"  // an Event
	EventMissed = "missed" // Missed
	EventError  = "error"  // a Problem; the last one of a stream
)

// commentPause is the time between two comments of a stream: they show both sides that the other one lives.
const commentPause = 15 * time.Second

// eventStream writes server-sent events. Each has a deadline of its own. Its methods are safe for concurrent use.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	fail    context.CancelFunc // ends the stream when its reader is gone

	mu    sync.Mutex // guards what is written, and begun
	begun bool
}

func newEventStream(w http.ResponseWriter, fail context.CancelFunc) *eventStream {
	return &eventStream{w: w, control: http.NewResponseController(w), fail: fail}
}

// send writes an event without an ID.
func (s *eventStream) send(event string, v any) error { return s.sendID(0, event, v) }

// sendID writes an event; with an ID, unless it is 0, from which a client can go on.
func (s *eventStream) sendID(id uint64, event string, v any) error {
	data, err := Encode(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if id != 0 {
		fmt.Fprintf(&b, "id: %d\n", id)
	}
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", event, bytes.TrimSpace(data))
	return s.write(b.Bytes())
}

// begin shows the client that the stream has begun: from then on an error is its last event.
func (s *eventStream) begin() { _ = s.write([]byte(":\n\n")) } // a failure ends the stream

// write writes and flushes, the head of the answer before the first bytes.
func (s *eventStream) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun {
		s.begun = true
		setHeaders(s.w)
		s.w.Header().Set("Content-Type", "text/event-stream")
		s.w.Header().Set("X-Accel-Buffering", "no") // of a proxy
		s.w.WriteHeader(http.StatusOK)
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(writeLimit)) // a recorder of a test has none
	_, err := s.w.Write(b)
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.fail()
	}
	return err
}

// finish writes the error that ends the stream: as the answer if nothing was sent yet, else as the last event.
func (s *eventStream) finish(err error) {
	s.mu.Lock()
	begun := s.begun
	s.mu.Unlock()
	switch {
	case err != nil && !begun:
		WriteProblem(s.w, err)
	case err != nil:
		_ = s.send(EventError, problemOf(err)) // a client that has gone needs none
	case !begun:
		s.begin()
	}
}

// comment writes comments until ctx ends.
func (s *eventStream) comment(ctx context.Context) {
	tick := time.NewTicker(commentPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.begin()
		case <-ctx.Done():
			return
		}
	}
}

// serveStream runs a stream of a node that runs.
func (a *API) serveStream(do stream, access Access, w http.ResponseWriter, r *http.Request) {
	serveEventStream(access, w, r, func(ctx context.Context, q *request, out *eventStream) error {
		if err := a.awaitRunning(ctx); err != nil {
			return err
		}
		return do(a, ctx, q, out)
	})
}

// serveEventStream runs a stream until it ends, the client closes the connection, or cannot be written to any longer.
func serveEventStream(access Access, w http.ResponseWriter, r *http.Request, do func(context.Context, *request, *eventStream) error) {
	q, err := readRequest(w, r, access)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	out := newEventStream(w, cancel)
	var comments sync.WaitGroup
	comments.Go(func() { out.comment(ctx) })
	err = do(ctx, q, out)
	cancel()
	comments.Wait()
	out.finish(err)
}

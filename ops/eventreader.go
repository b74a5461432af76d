package ops

import (
	"context"
	"net/http"
	"strconv"
	"strings"
)

const (
	maxEventReaders = 32
	eventBatch      = 64 // events that are copied for a reader at a time
)

// Missed is sent to a reader that fell behind, or comes back too late.
type Missed struct {
	Missed int `json:"missed"` // events that are no longer kept
}

// handleEvents answers with the events that are kept, as a list in JSON, or with those to come as a stream: after the one that Last-Event-ID
// names, else from now on, or from the first that is kept with ?all.
func (a *API) handleEvents(access Access, w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") && strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeDocument(w, http.StatusOK, "application/json", append([]Event{}, a.history.newest(keptEvents)...))
		return
	}
	release, ok := a.readers.take()
	if !ok {
		WriteProblem(w, problemf(http.StatusServiceUnavailable, "%d clients read the events already, which is the most", maxEventReaders))
		return
	}
	defer release()
	serveEventStream(access, w, r, a.sendEvents)
}

// firstEvent returns the ID after which a reader begins.
func (a *API) firstEvent(r *request) (uint64, error) {
	text := r.Header.Get("Last-Event-ID")
	switch {
	case text == "" && r.flag("all"):
		return 0, nil
	case text == "":
		return a.history.end() - 1, nil
	}
	id, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, problemf(http.StatusBadRequest, "Last-Event-ID %q: want a number", text)
	}
	return id, nil
}

// sendEvents sends events until the client closes the connection.
func (a *API) sendEvents(ctx context.Context, r *request, out *eventStream) error {
	last, err := a.firstEvent(r)
	if err != nil {
		return err
	}
	out.begin()
	for {
		events, missed, more := a.history.after(last, eventBatch)
		if missed > 0 {
			if err := out.send(EventMissed, Missed{missed}); err != nil {
				return err
			}
		}
		for _, e := range events {
			if err := out.sendID(e.ID, EventEvent, e); err != nil {
				return err
			}
			last = e.ID
		}
		if len(events) > 0 {
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}

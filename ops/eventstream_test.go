package ops

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAStreamThatIsIdleCarriesComments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := httptest.NewRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		out := newEventStream(w, cancel)
		done := make(chan struct{})
		go func() { defer close(done); out.comment(ctx) }()
		time.Sleep(2*commentPause + time.Second)
		cancel()
		<-done
		if got := w.Body.String(); got != ":\n\n:\n\n" || w.Header().Get("Content-Type") != "text/event-stream" {
			t.Errorf("after %v the stream has %q, %v", 2*commentPause, got, w.Header())
		}
	})
}

// broken is a connection that takes nothing any longer.
type broken struct{ http.ResponseWriter }

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestAStreamEndsWhenItCannotBeWritten(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := newEventStream(broken{httptest.NewRecorder()}, cancel)
	if err := out.send(EventMissed, Missed{1}); err == nil || ctx.Err() == nil {
		t.Errorf("send = %v, the context has %v, want an error and the end", err, ctx.Err())
	}
}

func TestAnErrorIsTheAnswerOrTheLastEventOfAStream(t *testing.T) {
	w := httptest.NewRecorder()
	newEventStream(w, func() {}).finish(problemf(http.StatusNotFound, "no such thing"))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "no such thing") {
		t.Errorf("an error before the stream began = %d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	out := newEventStream(w, func() {})
	out.begin()
	out.finish(problemf(http.StatusNotFound, "no such thing"))
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), ":\n\nevent: error\ndata: {") || !strings.Contains(w.Body.String(), `"detail":"no such thing"`) {
		t.Errorf("an error after the stream began = %d %s", w.Code, w.Body)
	}
}

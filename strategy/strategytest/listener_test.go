package strategytest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestAServerOnAListenerAnswersInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen("10.0.0.9:80")
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Hour) // on the bubble's clock
			_, _ = io.WriteString(w, "late")
		})}
		done := make(chan error, 1)
		go func() { done <- server.Serve(l) }()
		transport := &http.Transport{DialContext: l.Dial, DisableKeepAlives: true}
		res, err := (&http.Client{Transport: transport}).Get("http://" + l.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || string(text) != "late" {
			t.Errorf("answer %q, %v, want late", text, err)
		}
		_ = res.Body.Close()
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		if _, err := l.Dial(t.Context(), "tcp", ""); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial after Close = %v, want net.ErrClosed", err)
		}
	})
}

func TestADialThatIsNotAcceptedEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Listen("10.0.0.9:80").Dial(ctx, "tcp", ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Dial = %v, want the end of its context", err)
		}
	})
}

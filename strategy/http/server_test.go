package http

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// fake is a web server that follows a script, and keeps count.
type fake struct {
	mu       sync.Mutex
	do       http.HandlerFunc
	requests []*http.Request
}

// ServeHTTP does what was asked of it last.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	do := f.do
	f.requests = append(f.requests, r)
	f.mu.Unlock()
	do(w, r)
}

func (f *fake) set(do http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.do = do
}

func (f *fake) serves(body string) {
	f.set(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
}

func (f *fake) asked() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*http.Request(nil), f.requests...)
}

// serve serves on p until the test ends.
func (f *fake) serve(tb testing.TB, p *strategytest.Listener) {
	tb.Helper()
	s := &http.Server{Handler: f}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(p) }()
	tb.Cleanup(func() { _ = s.Close(); <-done })
}

// listJSON returns the list of these peers.
func listJSON(peers []peer.Peer, more ...string) string {
	more = append(more, strategytest.Addrs(peers)...)
	if len(more) == 0 {
		return "[]"
	}
	return `[{"targets": ["` + strings.Join(more, `","`) + `"]}]`
}

func TestContract(t *testing.T) { testContract(t, false) }

func TestContractWithETags(t *testing.T) { testContract(t, true) }

func testContract(t *testing.T, etags bool) {
	strategytest.Run(t, strategytest.Subject{
		Kind: Kind,
		Setup: func(tb testing.TB) *strategytest.Source {
			pipe := strategytest.Listen("memory")
			f := new(fake)
			f.serves("[]")
			f.serve(tb, pipe)
			src := f.source(etags)
			src.Env.Dial = pipe.Dial
			return src
		},
	})
}

func (f *fake) source(etags bool) *strategytest.Source {
	answer := func(peers []peer.Peer) {
		body := listJSON(peers)
		f.set(func(w http.ResponseWriter, r *http.Request) {
			etag := fmt.Sprintf("%q", fmt.Sprint(len(body)))
			if etags {
				w.Header().Set("ETag", etag)
			}
			if r.Header.Get("If-None-Match") == etag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_, _ = w.Write([]byte(body))
		})
	}
	return &strategytest.Source{
		Config:  "url: http://peers.test/list",
		Answer:  answer,
		Empty:   func() { answer(nil) },
		Partial: func(some []peer.Peer, _ error) { f.serves(listJSON(some, "nowhere")) },
		Break: func(error) {
			f.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		},
		Hang:    func() { f.set(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) },
		Garbage: func() { f.serves("<html>please log in</html>") },
	}
}

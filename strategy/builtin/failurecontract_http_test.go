package builtin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// httpTestSource has a web server on the loopback interface.
func httpTestSource(tb testing.TB) testSource {
	var do atomic.Pointer[http.HandlerFunc]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*do.Load())(w, r) }))
	tb.Cleanup(s.Close)
	answer := func(f http.HandlerFunc) func() { return func() { do.Store(&f) } }
	list := func(body string) func() {
		return answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	}
	return testSource{
		config: fmt.Sprintf("{url: '%s/peers', interval: 100ms, timeout: 2s}", s.URL),
		states: map[string]func(){
			complete: list(fmt.Sprintf(`[{"targets": [%q, %q]}]`, first, second)),
			nothing:  list("[]"),
			part:     list(fmt.Sprintf(`[{"targets": [%q, "10.0.0.2"]}]`, first)),
			broken:   answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }),
			hang:     answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
			garbage:  list("<html>please log in</html>"),
		},
	}
}

package ops

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
)

// mounted returns the handler of an API with these mounts, for a connection with an access.
func mounted(grant Grant, mounts ...Mount) http.Handler {
	a := &API{config: Config{Node: connector.NodeConfig{Name: "a"}, Log: hclog.NewNullLogger(), Mounts: mounts}}
	return a.Handler(grant)
}

// answerOf sends a request to a handler.
func answerOf(h http.Handler, method, path, body string) (*httptest.ResponseRecorder, Problem) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	var p Problem
	_ = json.Unmarshal(w.Body.Bytes(), &p) // what is no problem is compared by its status
	return w, p
}

func TestMountsAreServedToThoseWithTheirAccess(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
	mounts := []Mount{{"GET /metrics", Probes, hello}, {"GET /{$}", Read, hello}, {"GET /panic", Probes, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })}}
	h := mounted(Always(Probes), mounts...)
	if w, _ := answerOf(h, "GET", "/metrics", ""); w.Body.String() != "hello" {
		t.Errorf("metrics = %d %s", w.Code, w.Body)
	}
	if w, p := answerOf(h, "GET", "/", ""); w.Code != http.StatusForbidden || !strings.Contains(p.Detail, "from another host only probes") {
		t.Errorf("the page = %d %+v, want 403", w.Code, p)
	}
	if w, _ := answerOf(mounted(Always(Read), mounts...), "GET", "/", ""); w.Body.String() != "hello" {
		t.Errorf("the page = %d %s", w.Code, w.Body)
	}
	if w, p := answerOf(h, "GET", "/panic", ""); w.Code != http.StatusInternalServerError || !strings.Contains(p.Detail, "panicked over this request: boom") {
		t.Errorf("a panic = %d %+v", w.Code, p)
	}
}

func TestWhatNoRouteIsForIsAProblem(t *testing.T) {
	h := mounted(Always(Write))
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/nothing", "", 404, "this agent has no /nothing"},
		{"GET", "/api/v9/status", "", 404, "serves version 1 of the API"},
		{"PATCH", "/api/v1/status", "", 405, "PATCH is not possible for /api/v1/status"},
		{"GET", "/api/v1/status", "x", 400, "a GET has no body"},
		{"GET", "/api/v1/status?node=b", "", 409, `this agent is the node "a", not "b"`},
		{"GET", "/api/v1/links?timeout=0", "", 400, `timeout "0": want seconds`},
		{"GET", "/api/v1/links?timeout=NaN", "", 400, `timeout "NaN": want seconds`},
		{"POST", "/api/v1/join?timeout=many", "{", 400, `timeout "many"`},
	} {
		w, p := answerOf(h, c.method, c.path, c.body)
		if w.Code != c.status || p.Status != c.status || p.Title != http.StatusText(c.status) || !strings.Contains(p.Detail, c.want) {
			t.Errorf("%s %s = %d %+v, want %d %s", c.method, c.path, w.Code, p, c.status, c.want)
		}
		if kind := w.Header().Get("Content-Type"); kind != "application/problem+json" {
			t.Errorf("%s %s is %s", c.method, c.path, kind)
		}
	}
	w, _ := answerOf(h, "PATCH", "/api/v1/status", "")
	if allow := w.Header().Get("Allow"); !strings.Contains(allow, "GET") {
		t.Errorf("Allow = %q", allow)
	}
}

func TestARequestThatProvesNothingRightIsAskedForAToken(t *testing.T) {
	refuse := func(*http.Request) (Access, error) {
		return Probes, WithStatus(http.StatusUnauthorized, errors.New("no"))
	}
	w, p := answerOf(mounted(refuse), "GET", "/livez", "")
	if w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" || p.Detail != "no" {
		t.Errorf("answer = %d %v %+v", w.Code, w.Header(), p)
	}
}

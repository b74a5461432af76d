package ops

import (
	"net/http"
	"strings"
)

// unknownPaths answers what no route is for: an unknown path, version or method.
func unknownPaths(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := statusRecorder{ResponseWriter: w}
		h.ServeHTTP(&refusal, r) // sets the header Allow
		path, version := r.URL.Path, strings.HasPrefix(r.URL.Path, "/api/") && !strings.HasPrefix(r.URL.Path, "/api/v1/")
		switch {
		case refusal.status == http.StatusMethodNotAllowed:
			WriteProblem(w, problemf(refusal.status, "%s is not possible for %s", r.Method, path))
		case version:
			WriteProblem(w, problemf(http.StatusNotFound, "this agent serves version 1 of the API, /api/v1/, and not %s", path))
		default:
			WriteProblem(w, problemf(http.StatusNotFound, "this agent has no %s; it may be older than the client", path))
		}
	})
}

// statusRecorder takes an answer without sending it.
type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (s *statusRecorder) WriteHeader(status int)      { s.status = status }
func (s *statusRecorder) Write(b []byte) (int, error) { return len(b), nil }

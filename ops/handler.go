package ops

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	writeLimit = 10 * time.Second // for an answer to be taken, and each event of a stream
	mountLimit = 30 * time.Second // for that of a handler of a program
)

// Handler returns the API for connections of which grant decides what they may ask for. A request that changes something is refused
// when a browser sends it for a page of another site. The handler allows no other site to read an answer.
func (a *API) Handler(grant Grant) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes() {
		mux.Handle(r.pattern, a.serveRoute(r, grant))
	}
	for _, m := range a.config.Mounts {
		mux.Handle(m.Pattern, guardAccess(m.Access, grant, func(_ Access, w http.ResponseWriter, r *http.Request) {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(mountLimit)) // not that of the request before
			m.Handler.ServeHTTP(w, r)
		}))
	}
	var origins http.CrossOriginProtection
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		WriteProblem(w, problemf(http.StatusForbidden, "a page of another site sent this request"))
	}))
	return a.recoverPanics(origins.Handler(unknownPaths(mux)))
}

// serveRoute serves one operation.
func (a *API) serveRoute(route route, grant Grant) http.Handler {
	return guardAccess(route.access, grant, func(access Access, w http.ResponseWriter, r *http.Request) {
		if err := a.checkNode(r); err != nil {
			WriteProblem(w, err)
			return
		}
		switch {
		case route.plain != nil:
			route.plain(a, access, w, r)
		case route.stream != nil:
			a.serveStream(route.stream, access, w, r)
		default:
			a.serveAnswer(route, access, w, r)
		}
	})
}

// guardAccess refuses requests that do not have the access that is needed.
func guardAccess(needs Access, grant Grant, serve func(Access, http.ResponseWriter, *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		access, err := grant(r)
		switch {
		case err != nil:
		case access < needs:
			err = errDenied(needs)
		case r.ContentLength != 0 && (r.Method == http.MethodGet || r.Method == http.MethodHead): // a client could send it for ever
			w.Header().Set("Connection", "close")
			err = problemf(http.StatusBadRequest, "a %s has no body", r.Method)
		}
		if err != nil {
			if statusOf(err) == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", "Bearer")
			}
			WriteProblem(w, err)
			return
		}
		serve(access, w, r)
	})
}

// checkNode refuses a request that means another node.
func (a *API) checkNode(r *http.Request) error {
	if node := r.URL.Query().Get("node"); node != "" && node != a.config.Node.Name {
		return problemf(http.StatusConflict, "this agent is the node %q, not %q", a.config.Node.Name, node)
	}
	return nil
}

// serveAnswer calls an operation and writes what it returns.
func (a *API) serveAnswer(route route, access Access, w http.ResponseWriter, r *http.Request) {
	q, err := readRequest(w, r, access)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	timeout, err := q.timeout()
	if err != nil {
		WriteProblem(w, err)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout, fmt.Errorf("no answer within %v: %w", timeout, context.DeadlineExceeded))
	defer cancel()
	if route.runs {
		err = a.awaitRunning(ctx)
	}
	var v any
	if err == nil {
		v, err = route.answer(a, ctx, q)
	}
	switch {
	case err != nil:
		WriteProblem(w, err)
	case v == nil:
		setHeaders(w)
		w.WriteHeader(http.StatusNoContent)
	default:
		writeDocument(w, http.StatusOK, "application/json", v)
	}
}

package ops

import (
	"errors"
	"net/http"
	"runtime/debug"
)

// recoverPanics makes an answer of a panic: a request must not end the program.
func (a *API) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // net/http closes the connection
			}
			a.config.Log.Error("a request panicked", "path", r.URL.Path, "error", p, "stack", string(debug.Stack()))
			WriteProblem(w, problemf(http.StatusInternalServerError, "the agent panicked over this request: %v", p))
		}()
		next.ServeHTTP(w, r)
	})
}

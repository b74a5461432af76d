package agent

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/goconvoke/convoke/ops"
)

var errToken = ops.WithStatus(http.StatusUnauthorized, errors.New("the token is not that of http.token_file"))

// grant returns what a request may ask for: one with the token, a client certificate or over a unix socket reads everything and, with
// http.write, changes things; one that arrives on loopback reads all but values; any other one gets probes.
func (w *webServer) grant(r *http.Request) (ops.Access, error) {
	proven, err := w.isProven(r)
	switch {
	case err != nil:
		return ops.Probes, err
	case proven && w.config.Write:
		return ops.Write, nil
	case proven:
		return ops.Values, nil
	case isLoopback(r):
		return ops.Read, nil
	}
	return ops.Probes, nil
}

// isProven reports whether a request shows its right. A token that is wrong is an error, even on loopback.
func (w *webServer) isProven(r *http.Request) (bool, error) {
	if _, unix := w.config.Unix(); unix {
		return true, nil
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true, nil
	}
	given := r.Header.Get("Authorization")
	if w.token == nil || given == "" {
		return false, nil
	}
	scheme, token, _ := strings.Cut(given, " ")
	if !strings.EqualFold(scheme, "Bearer") || !w.token.matches(strings.TrimSpace(token)) {
		return false, errToken
	}
	return true, nil
}

// isLoopback reports whether a request came to a loopback address of this host: then its client runs here.
func isLoopback(r *http.Request) bool {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return addr != nil && addr.IP.IsLoopback()
}

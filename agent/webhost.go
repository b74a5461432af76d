package agent

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/goconvoke/convoke/ops"
)

// checkHost rejects requests for a name that is not this host's. A page of another site can make its own name point here, and then
// read whatever is answered under it; it cannot do that with an address, nor over a unix socket.
func (w *webServer) checkHost(h http.Handler) http.Handler {
	if _, unix := w.config.Unix(); unix {
		return h
	}
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if !w.isOwnHost(r.Host) {
			ops.WriteProblem(out, errHost)
			return
		}
		h.ServeHTTP(out, r)
	})
}

var errHost = ops.WithStatus(http.StatusMisdirectedRequest,
	errors.New("the request is for another host: use an IP address or localhost, or add the name to http.names"))

func (w *webServer) isOwnHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(w.config.Names, func(name string) bool { return strings.EqualFold(name, host) })
}

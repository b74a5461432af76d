package ops

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// CheckHost rejects requests for a host that is neither an IP address nor localhost nor one of these names. A page of another site can
// make its own name point here, and then read whatever is answered under it; it cannot do that with an address.
func CheckHost(names []string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isOwnHost(r.Host, names) {
			WriteProblem(w, errHost)
			return
		}
		h.ServeHTTP(w, r)
	})
}

var errHost = WithStatus(http.StatusMisdirectedRequest,
	errors.New("the request is for another host: use an IP address or localhost, or add the name to http.names"))

func isOwnHost(host string, names []string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, host) })
}

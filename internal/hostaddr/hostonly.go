package hostaddr

import (
	"net/netip"
	"strings"
)

// HostOnly reports whether s is a host without a port, such as "10.0.0.1", "::1", "[::1]" or a name, and strips its brackets.
func HostOnly(s string) (host string, bare bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		return strings.CutSuffix(inner, "]")
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return s, true
	}
	return s, !strings.Contains(s, ":")
}

package ops

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/goconvoke/convoke/peer"
)

// KeyHTTP is the own key in which a member publishes where it serves its page and its API on a port: http:// or https://, and host:port.
const KeyHTTP = "http/address"

// pageOf returns the address of the page that a member publishes. A member may publish anything: what is not of http or https, with a host
// and a port alone, is "". So is a loopback address of a member on another host, where it would be another page.
func pageOf(published, memberAddr string) string {
	scheme, hostport, _ := strings.Cut(published, "://")
	addr, err := peer.Addr(hostport)
	if err != nil || addr != hostport || scheme != "http" && scheme != "https" {
		return ""
	}
	host, _, _ := net.SplitHostPort(addr) // it has a port: see above
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil && (ip.IsUnspecified() || ip.Zone() != ""):
		return ""
	case err != nil && strings.ContainsFunc(host, func(r rune) bool { return !isHostRune(r) }):
		return ""
	case isLoopback(host) && !isLoopback(hostOf(memberAddr)):
		return ""
	}
	return (&url.URL{Scheme: scheme, Host: addr, Path: "/"}).String()
}

func hostOf(hostport string) string {
	host, _, _ := net.SplitHostPort(hostport) // "" is not a loopback address
	return host
}

func isHostRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}

package gossip

import (
	"net"
	"net/netip"
)

// hostOf returns the host of an address, as far as limits and the log distinguish hosts: an IPv4 address, the /64 of an
// IPv6 address, since a host has as many of these as it likes, or any other name as it is.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() && !ip.IsLoopback() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

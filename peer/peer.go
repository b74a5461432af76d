// Package peer holds the one value that strategies produce and connectors consume.
package peer

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Peer is a node as a strategy reports it; it makes no claim that the node lives.
// Peers are comparable with ==. Only Addr is required.
type Peer struct {
	Addr    string // host:port to dial, as [Addr] writes it; the identity of a peer
	ID      string // stable name where the source knows one (pod name, node name), else ""
	Zone    string // failure zone, else ""
	Version string // rollout version, for isolation, else ""
	Attrs   string // further labels: "k=v,k=v", sorted by key, else ""
}

// String returns "id@addr", or the address alone when there is no ID.
func (p Peer) String() string {
	if p.ID == "" {
		return p.Addr
	}
	return p.ID + "@" + p.Addr
}

// Addr returns the canonical form of a host:port, in which equal addresses are equal
// strings: IPv4 in IPv6 is unwrapped, IPv6 compressed and bracketed, a zone kept only where
// it is needed (link-local), a name in lower case without its final dot.
//
// The host must not be empty and the port must be a number in 1..65535.
func Addr(hostport string) (string, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return "", fmt.Errorf("address %q: want host:port", hostport)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("address %q: port %q is not a number in 1..65535", hostport, port)
	}
	host, err = canonicalHost(host)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", hostport, err)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n, 10)), nil
}

// canonicalHost returns the canonical form of an IP address or a host name.
func canonicalHost(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		if !ip.IsLinkLocalUnicast() && !ip.IsLinkLocalMulticast() {
			ip = ip.WithZone("")
		}
		return ip.String(), nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "" {
		return "", fmt.Errorf("the host is empty")
	}
	if len(name) > 253 {
		return "", fmt.Errorf("the host name is longer than 253 characters")
	}
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return "", fmt.Errorf("the host name has an empty part between its dots")
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`/\:@"'[]`, r) {
			return "", fmt.Errorf("the host name holds %q", r)
		}
	}
	return name, nil
}

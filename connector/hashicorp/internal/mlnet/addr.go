package mlnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"unicode"

	"github.com/goconvoke/convoke/peer"
)

// maxName bounds the name of a node, in bytes.
const maxName = 255

// hostPort is a host, which may be a name, and a port, where 0 means any.
type hostPort struct {
	host string
	port uint16
}

// String returns the canonical host:port.
func (hp hostPort) String() string {
	return net.JoinHostPort(hp.host, strconv.Itoa(int(hp.port)))
}

// unspecified reports whether the host stands for all interfaces.
func (hp hostPort) unspecified() bool {
	ip, err := netip.ParseAddr(hp.host)
	return err == nil && ip.IsUnspecified()
}

// parseListen reads a host:port; without a host it means all interfaces.
func parseListen(s string) (hostPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return hostPort{}, fmt.Errorf("listen address %q: want host:port", s)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	hp, err := parseHostPort(host, port)
	if err != nil {
		return hostPort{}, fmt.Errorf("listen address %q: %w", s, err)
	}
	return hp, nil
}

// parseAdvertise reads a host[:port]; "" is nothing.
func parseAdvertise(s string) (hostPort, error) {
	if s == "" {
		return hostPort{}, nil
	}
	host, port := s, "0"
	if _, err := netip.ParseAddr(s); err != nil { // an IPv6 address needs no brackets
		if h, p, err := net.SplitHostPort(s); err == nil {
			host, port = h, p
		}
	}
	hp, err := parseHostPort(host, port)
	switch {
	case err != nil:
		return hostPort{}, fmt.Errorf("advertised address %q: %w", s, err)
	case hp.unspecified():
		return hostPort{}, fmt.Errorf("advertised address %q cannot be dialled", s)
	}
	return hp, nil
}

func parseHostPort(host, port string) (hostPort, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return hostPort{}, fmt.Errorf("port %q is not a number in 0..65535", port)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() != "" {
		return hostPort{}, errors.New("memberlist cannot carry the zone of a link-local address")
	}
	addr, err := peer.Addr(net.JoinHostPort(host, "1")) // any port: the host is what matters
	if err != nil {
		return hostPort{}, err
	}
	host, _, err = net.SplitHostPort(addr)
	return hostPort{host: host, port: uint16(n)}, err
}

// AddrPort returns the address that a node advertises.
func AddrPort(host net.IP, port uint16) (netip.AddrPort, error) {
	ip, ok := netip.AddrFromSlice(host)
	ip = ip.Unmap()
	if !ok || ip.IsUnspecified() || ip.IsMulticast() || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("%v port %d cannot be dialled", host, port)
	}
	return netip.AddrPortFrom(ip, port), nil
}

// CheckName returns what is wrong with the name of a node.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a node is empty")
	case len(name) > maxName:
		return fmt.Errorf("the name of a node has %d bytes, at most %d are allowed", len(name), maxName)
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("the name of a node holds %q", r)
		}
	}
	return nil
}

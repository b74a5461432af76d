// Package hostaddr finds the address at which other hosts reach this one, and reads addresses that lack a port.
package hostaddr

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// Two addresses that lie beyond the default route of nearly every host. They are asked for a route, never
// sent a packet.
const (
	beyond4 = "198.41.0.4:53"
	beyond6 = "[2001:503:ba3e::2:30]:53"
)

var errNone = errors.New("this host has no usable address; bring an interface up or set the advertised address")

// Outbound returns the address other hosts would reach this one at: the source address of the route
// to the internet, IPv4 before IPv6; without such a route the first address of an interface
// that is neither loopback nor link-local, private ones included; without one a loopback
// address. It sends nothing and does not wait.
func Outbound() (netip.Addr, error) {
	own, err := interfaceAddrs()
	if addr, ok := choose(outboundRoutes(), own); ok {
		return addr, nil
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("addresses of the interfaces: %w", err)
	}
	return netip.Addr{}, errNone
}

// outboundRoutes returns the source addresses of the routes to the internet, in order of preference; invalid where there is none.
func outboundRoutes() []netip.Addr {
	return []netip.Addr{source("udp4", beyond4), source("udp6", beyond6)}
}

// choose picks among the source addresses of routes, in order of preference (invalid ones: no such
// route), and the addresses of the interfaces.
func choose(routes, own []netip.Addr) (netip.Addr, bool) {
	for _, list := range [][]netip.Addr{routes, own} {
		for _, a := range list {
			if a = a.Unmap(); a.IsGlobalUnicast() {
				return a.WithZone(""), true
			}
		}
	}
	for _, a := range own {
		if a = a.Unmap(); a.IsLoopback() {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// source returns the address that packets to addr would leave from, invalid if there is no
// route. Connecting a UDP socket looks the route up and sends nothing.
func source(network, addr string) netip.Addr {
	conn, err := net.Dial(network, addr)
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return local.AddrPort().Addr()
}

// interfaceAddrs returns the addresses of all interfaces, in the order of the system.
func interfaceAddrs() ([]netip.Addr, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var all []netip.Addr
	for _, n := range nets {
		if ipnet, ok := n.(*net.IPNet); ok {
			if a, ok := netip.AddrFromSlice(ipnet.IP); ok {
				all = append(all, a)
			}
		}
	}
	return all, nil
}

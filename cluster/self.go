package cluster

import (
	"net"
	"net/netip"
	"os"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// selfOf returns how a node's own settings name it: for connectors that do not report it.
func selfOf(n connector.NodeConfig) []peer.Peer {
	_, port, err := net.SplitHostPort(n.Listen)
	if err != nil || port == "0" {
		return nil // which port it will be is not known here
	}
	addr := n.Listen
	if n.Advertise != "" {
		addr = n.Advertise
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(addr, port)
		}
	}
	return []peer.Peer{{ID: n.Name, Addr: addr}}
}

// expandSelf adds the addresses of all interfaces and the host name where a host is unspecified, and brings all into
// canonical form.
func expandSelf(self []peer.Peer) []peer.Peer {
	var all []peer.Peer
	for _, p := range self {
		all = append(all, peer.Peer{ID: p.ID})
		host, port, err := net.SplitHostPort(p.Addr)
		if err != nil {
			continue
		}
		hosts := []string{host}
		if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
			hosts = localHosts()
		}
		for _, h := range hosts {
			if addr, err := peer.Addr(net.JoinHostPort(h, port)); err == nil {
				all = append(all, peer.Peer{Addr: addr})
			}
		}
	}
	return all
}

// localHosts returns the addresses of this host's interfaces and its name.
func localHosts() []string {
	hosts := []string{"localhost"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return hosts // dialling them finds out too
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			hosts = append(hosts, n.IP.String())
		}
	}
	return hosts
}

package gossip

import (
	"context"
	"net"
	"net/netip"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// followsHost reports whether the advertised address is that of the host: none is given, and the listener is on all interfaces.
func (c Config) followsHost(bound net.Addr) bool {
	host, _, err := net.SplitHostPort(bound.String())
	ip, errIP := netip.ParseAddr(host)
	return c.Advertise == "" && err == nil && errIP == nil && ip.IsUnspecified()
}

// followHost publishes the address of this host whenever it becomes another one, until the node ends. follow is [hostaddr.Follow].
func (n *Node) followHost(follow func(ctx context.Context, current netip.Addr, moved func(netip.Addr))) {
	host, port, err := net.SplitHostPort(n.Addr())
	if err != nil {
		return // Start has made it of a host and a port
	}
	current, err := netip.ParseAddr(host)
	if err != nil {
		return
	}
	follow(n.life, current, func(a netip.Addr) {
		addr := net.JoinHostPort(a.String(), port)
		before := n.addr.Swap(&addr) // before the view changes: its readers ask for Addr
		if err := n.sendInput(n.life, core.SetAddr{Addr: addr}); err != nil {
			return // the node has ended
		}
		n.log.Info("this host has another address; members dial it from now on", "addr", addr, "before", *before)
	})
}

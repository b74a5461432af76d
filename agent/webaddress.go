package agent

import (
	"context"
	"net"
	"net/netip"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/ops"
)

// publishHTTP publishes where this node serves its page and its API, for the pages of other members to link to, until ctx ends. A node that
// serves on no port withdraws what it published in an earlier life.
func (n *Node) publishHTTP(ctx context.Context) {
	for node := n.nextGossip(ctx, nil); node != nil; node = n.nextGossip(ctx, node) {
		if n.web != nil && !n.web.awaitListening(ctx) {
			return
		}
		last, done := "", false
		for range node.Watch(ctx) { // the address that it advertises may change
			if now := n.webURL(node.Addr()); !done || now != last {
				last, done = now, n.setHTTP(ctx, node, now)
			}
		}
	}
}

// setHTTP changes the own key, and reports whether it could. "" withdraws it.
func (n *Node) setHTTP(ctx context.Context, node *gossip.Node, address string) bool {
	before, had := node.Get(node.Name(), ops.KeyHTTP)
	var err error
	switch {
	case address == before && had == (address != ""):
	case address == "":
		err = node.Delete(ctx, ops.KeyHTTP)
	default:
		err = node.Set(ctx, ops.KeyHTTP, address)
	}
	if err != nil {
		n.log.Debug("cannot publish the address of the section http", "error", err)
	}
	return err == nil
}

// webURL returns where a port is served, as others reach it: on the host that the node advertises if it listens on all. It is "" on a socket.
func (n *Node) webURL(advertised string) string {
	if n.web == nil {
		return ""
	}
	host, port, err := net.SplitHostPort(n.HTTP())
	if _, unix := n.web.config.Unix(); err != nil || unix {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host, _, _ = net.SplitHostPort(advertised)
	}
	scheme := "http"
	if n.web.pair != nil {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

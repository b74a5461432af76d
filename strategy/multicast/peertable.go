package multicast

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/goconvoke/convoke/peer"
)

const (
	maxPeers = 1024
	// preferredFamilyWait is how long a new peer that prefers the other family waits for being heard by that,
	// so that it is not reported under two addresses one after the other.
	preferredFamilyWait = 300 * time.Millisecond
)

// peerTable holds the nodes that are heard, one entry each. It belongs to one goroutine.
type peerTable struct {
	config Config
	local  func(netip.Addr) bool // whether an address is one of this host
	nodes  map[string]*peerEntry // by name, or by instance for a node without one
	silent []string              // those that fell silent since this was last cleared, as the log names them
}

type peerEntry struct {
	instance   uint64
	generation int64
	seq        uint64 // highest so far
	node       string
	addrs      []string      // as announced
	interval   time.Duration // as announced, 0 by a version that does not
	expire     time.Duration // silence after which it is gone
	onHost     bool          // it is of this host
	heard      time.Time
	first      time.Time
	paths      [families]path
	reported   peer.Peer // zero until it was reported
}

// path is how a node is reached by the family that it was heard on.
type path struct {
	addr  string // "" if nothing announced is usable
	heard time.Time
}

// packetResult is what a packet changed.
type packetResult struct {
	dropReason dropReason
	fresh      bool        // a node, or a new life of one, that was not known
	report     []peer.Peer // new, or at a new address
	gone       bool        // a node that was known leaves
}

func newTable(c Config, local func(netip.Addr) bool) *peerTable {
	return &peerTable{config: c, local: local, nodes: make(map[string]*peerEntry)}
}

// handlePacket takes a packet that passed the filter. zone names the interface it came in by.
func (t *peerTable) handlePacket(p *packet, d *datagram, zone string, now time.Time) packetResult {
	key := nodeKey(p)
	e := t.nodes[key]
	if e != nil && e.expired(now) {
		e = nil // whatever life it was of
		t.dropNode(key)
	}
	switch {
	case e != nil && e.instance != p.Instance && !p.newer(e.generation, e.instance):
		return packetResult{dropReason: stale}
	case p.leaves():
		delete(t.nodes, key)
		return packetResult{gone: e != nil}
	case e == nil && len(t.nodes) >= maxPeers:
		if t.purgeSilent(now); len(t.nodes) >= maxPeers {
			return packetResult{dropReason: full}
		}
	}
	fresh := e == nil || e.instance != p.Instance
	if fresh {
		reported := peer.Peer{}
		if e != nil {
			reported = e.reported
		}
		e = &peerEntry{instance: p.Instance, generation: p.Generation, node: p.Node, first: now, reported: reported}
		e.onHost = t.local(d.from.Addr())
		t.nodes[key] = e
	}
	e.updateFrom(p, d, zone, now, t.config)
	n := packetResult{fresh: fresh}
	if q, ok := e.pendingChange(now); ok {
		n.report = []peer.Peer{q}
	}
	return n
}

// nodeKey identifies a node; the zero byte keeps instances from meeting names.
func nodeKey(p *packet) string {
	if p.Node != "" {
		return p.Node
	}
	return "\x00" + strconv.FormatUint(p.Instance, 16)
}

// expired reports whether the node was silent for too long.
func (e *peerEntry) expired(now time.Time) bool { return now.Sub(e.heard) >= e.expire }

func (e *peerEntry) updateFrom(p *packet, d *datagram, zone string, now time.Time, c Config) {
	e.heard = now
	if p.Seq > e.seq {
		if e.seq = p.Seq; !slices.Equal(e.addrs, p.Addrs) {
			e.addrs, e.paths = p.Addrs, [families]path{}
		}
		e.interval = p.interval()
		e.expire = c.expiryOf(e.interval)
	}
	next := reachableAddr(e.addrs, d.from.Addr(), zone)
	next.heard = now
	// A node heard by two interfaces has two sources; the first one stays while it is heard at all.
	if old := e.paths[d.family]; old.addr != "" && old.addr != next.addr && now.Sub(old.heard) < e.expire {
		return
	}
	e.paths[d.family] = next
}

// reachableAddr returns the first announced address that is usable by a node that received it from this source.
func reachableAddr(addrs []string, from netip.Addr, zone string) path {
	f := familyOf(from)
	var other, linkLocal string
	for _, a := range addrs {
		ap, err := netip.ParseAddrPort(a)
		if err != nil {
			return path{addr: a} // a name: either family may serve
		}
		ip := ap.Addr()
		switch {
		case ip.IsUnspecified():
			switch {
			case !ip.Is6() && f != v4:
			case !from.IsLinkLocalUnicast():
				return path{addr: dialableAddr(from, zone, ap.Port())}
			case linkLocal == "":
				linkLocal = dialableAddr(from, zone, ap.Port())
			}
		case ip.IsMulticast(), ip.IsLoopback() && !from.IsLoopback():
		case familyOf(ip) != f:
			if other == "" && !ip.IsLinkLocalUnicast() {
				other = a
			}
		default:
			return path{addr: dialableAddr(ip, zone, ap.Port())}
		}
	}
	if other == "" {
		other = linkLocal // few connectors can carry a zone
	}
	return path{addr: other} // the last resort
}

// dialableAddr writes an address; a link-local one gets the zone in which it is valid here.
func dialableAddr(ip netip.Addr, zone string, port uint16) string {
	if ip = ip.WithZone(""); ip.Is6() && ip.IsLinkLocalUnicast() {
		ip = ip.WithZone(zone)
	}
	return netip.AddrPortFrom(ip, port).String()
}

// preferredFamily returns the family of the first announced address, false if that is a name. "[::]" prefers IPv4:
// the source of an IPv6 heartbeat is a link-local address, which only neighbours can dial.
func (e *peerEntry) preferredFamily() (family, bool) {
	if len(e.addrs) == 0 {
		return v4, false
	}
	ap, err := netip.ParseAddrPort(e.addrs[0])
	switch {
	case err != nil:
		return v4, false
	case ap.Addr() == netip.IPv6Unspecified():
		return v4, true
	}
	return familyOf(ap.Addr()), true
}

// pickAddr returns the address to report, "" if there is none, or not yet.
func (e *peerEntry) pickAddr(now time.Time) string {
	alive := func(f family) bool {
		return e.paths[f].addr != "" && now.Sub(e.paths[f].heard) < e.expire
	}
	want, sure := e.preferredFamily()
	if sure && alive(want) {
		return e.paths[want].addr
	}
	for f := range family(families) {
		if alive(f) && e.paths[f].addr == e.reported.Addr {
			return e.reported.Addr // whichever came first stays
		}
	}
	if sure && e.paths[1-want].addr != e.addrs[0] && now.Sub(e.first) < preferredFamilyWait {
		return ""
	}
	for f := range family(families) {
		if alive(f) {
			return e.paths[f].addr
		}
	}
	return ""
}

// pendingChange returns the peer to report if it differs from what was reported last.
func (e *peerEntry) pendingChange(now time.Time) (peer.Peer, bool) {
	addr := e.pickAddr(now)
	if addr == "" {
		return peer.Peer{}, false
	}
	q := peer.Peer{Addr: addr, ID: e.node}
	changed := q != e.reported
	e.reported = q
	return q, changed
}

// purgeSilent drops the nodes that fell silent.
func (t *peerTable) purgeSilent(now time.Time) {
	for key, e := range t.nodes {
		if e.expired(now) {
			t.dropNode(key)
		}
	}
}

// dropNode removes a node that fell silent.
func (t *peerTable) dropNode(key string) {
	t.silent = append(t.silent, nameOf(t.nodes[key].node))
	delete(t.nodes, key)
}

// nextExpiry returns when the first of the nodes will have been silent for too long, later than limit if none will before.
func (t *peerTable) nextExpiry(limit time.Time) time.Time {
	for _, e := range t.nodes {
		if at := e.heard.Add(e.expire); at.Before(limit) {
			limit = at
		}
	}
	return limit
}

// onHost returns how many nodes are of this host.
func (t *peerTable) onHost() (n int) {
	for _, e := range t.nodes {
		if e.onHost {
			n++
		}
	}
	return n
}

// carryIntervals reports whether the packets of every node carry its interval, so that each will wait for a longer one of ours. Those of the
// version before would take this node for gone.
func (t *peerTable) carryIntervals() bool {
	for _, e := range t.nodes {
		if e.interval == 0 {
			return false
		}
	}
	return true
}

// dueChanges returns the peers whose address has become known, or another, by the passing of time.
func (t *peerTable) dueChanges(now time.Time) []peer.Peer {
	var all []peer.Peer
	for _, e := range t.nodes {
		if q, ok := e.pendingChange(now); ok {
			all = append(all, q)
		}
	}
	return all
}

// liveNodes drops the nodes that fell silent and returns all others, sorted by name and address.
func (t *peerTable) liveNodes(now time.Time) []peer.Peer {
	t.purgeSilent(now)
	var all []peer.Peer
	for _, e := range t.nodes {
		e.pendingChange(now)
		if e.reported.Addr != "" {
			all = append(all, e.reported)
		}
	}
	slices.SortFunc(all, func(a, b peer.Peer) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Addr, b.Addr))
	})
	return all
}

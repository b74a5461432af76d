package kubernetes

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/goconvoke/convoke/peer"
)

// peerBuilder makes peers of candidates.
type peerBuilder struct {
	config   Config
	name     idTemplate
	domain   string // of the cluster, without dots at its ends
	ipv6     bool   // the family to prefer
	nameless int    // how many lacked the hostname that mode: hostname needs
	other    int    // how many were of another version
}

// buildPeers makes one peer of each endpoint: candidates of one pod are addresses of it in several
// slices or families. Peers are sorted by address. What cannot become a peer is in the error.
func (b *peerBuilder) buildPeers(all []*candidate) ([]peer.Peer, error) {
	made := make([]peer.Peer, 0, len(all))
	var bad []error
	for _, c := range b.bestCandidates(all) {
		if !b.config.Meets(c.version) {
			b.other++
			continue
		}
		host := b.hostPart(c)
		if host == "" {
			b.nameless++
			continue
		}
		addr, err := peer.Addr(net.JoinHostPort(host, strconv.Itoa(c.port)))
		if err != nil {
			bad = append(bad, fmt.Errorf("%s %s/%s: %w", b.config.Source, c.namespace, c.name, err))
			continue
		}
		made = append(made, peer.Peer{Addr: addr, ID: b.name.expand(c), Zone: c.zone, Version: c.version})
	}
	slices.SortFunc(made, func(a, b peer.Peer) int {
		if a.Addr != b.Addr {
			return strings.Compare(a.Addr, b.Addr)
		}
		return strings.Compare(a.ID, b.ID)
	})
	// Pods on the network of their node may share an address; only one of them can be dialled at it.
	made = slices.CompactFunc(made, func(a, b peer.Peer) bool { return a.Addr == b.Addr })
	return made, firstOf(bad)
}

// bestCandidates returns the best candidate of each endpoint. An endpoint has several while Kubernetes moves it from one slice to another
// (it is in both, or in the old one only, for a moment), on a dual-stack Service (a slice for each family) and where several
// Services select the same pod. They are one peer, and the order is total, so that all nodes and all answers choose the same
// address.
func (b *peerBuilder) bestCandidates(all []*candidate) map[identity]*candidate {
	chosen := make(map[identity]*candidate, len(all))
	for _, c := range all {
		id := c.identity()
		if old := chosen[id]; old == nil || b.compareCandidates(c, old) < 0 {
			chosen[id] = c
		}
	}
	return chosen
}

// identity is what the candidates of one endpoint have in common: the UID of a pod, else its name, else the
// address.
type identity struct{ uid, namespace, name, ip string }

func (c *candidate) identity() identity {
	switch {
	case c.uid != "":
		return identity{uid: c.uid}
	case c.name != "":
		return identity{namespace: c.namespace, name: c.name}
	default:
		return identity{ip: c.ip}
	}
}

// compareCandidates puts the best candidate of an endpoint first: the preferred family, then the healthiest
// state (while an endpoint moves it is in two slices, one of them old), then any fixed order.
func (b *peerBuilder) compareCandidates(x, y *candidate) int {
	return cmp.Or(
		cmp.Compare(b.familyRank(x), b.familyRank(y)),
		cmp.Compare(stateRank(x.state), stateRank(y.state)),
		x.addr.Compare(y.addr),
		cmp.Compare(x.ip, y.ip),
		cmp.Compare(x.port, y.port),
		cmp.Compare(x.name, y.name),
	)
}

// familyRank is 1 for an address of the family that is not preferred, else 0.
func (b *peerBuilder) familyRank(c *candidate) int {
	if c.addr.IsValid() && c.addr.Unmap().Is6() != b.ipv6 {
		return 1
	}
	return 0
}

func stateRank(s State) int { return slices.Index([]State{Ready, NotReady, Terminating}, s) }

// hostPart returns the host part of the address, "" if the candidate has none in this mode.
func (b *peerBuilder) hostPart(c *candidate) string {
	switch b.config.Mode {
	case Hostname:
		if c.hostname == "" || c.service == "" {
			return ""
		}
		return c.hostname + "." + c.service + "." + c.namespace + ".svc." + b.domain
	case DNS:
		if !c.addr.IsValid() {
			return ""
		}
		return dashedAddr(c.addr) + "." + c.namespace + ".pod." + b.domain
	default:
		return c.ip
	}
}

// dashedAddr writes an address as the first part of a DNS name, which neither begins nor ends with a dash:
// 10-0-0-7, fd00--7, 0--1.
func dashedAddr(a netip.Addr) string {
	s := strings.NewReplacer(".", "-", ":", "-").Replace(a.Unmap().WithZone("").String())
	if strings.HasPrefix(s, "-") {
		s = "0" + s
	}
	if strings.HasSuffix(s, "-") {
		s += "0"
	}
	return s
}

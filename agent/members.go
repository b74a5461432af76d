package agent

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/peer"
)

// listTimeout bounds a list of the connector.
const listTimeout = 2 * time.Second

// Member is one member of the cluster, as this node sees it.
type Member struct {
	Name    string // the address where the connector has no names
	Addr    string // host:port; "" for this node until it listens
	Zone    string // that the node publishes, else ""
	Version string // that the node publishes, else ""
	Status  gossip.Status
	Self    bool
}

// Members returns the members that this node knows, sorted by name, itself included. The gossip core knows those that are down or
// have left too; other connectors list those that are up. It returns an error while the connector cannot list them.
func (n *Node) Members(ctx context.Context) ([]Member, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	peers, err := n.listPeers(ctx)
	if err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	g := n.Gossip()
	if g == nil {
		return n.withSelf(peers), nil
	}
	var all []Member
	for m := range g.View().All() {
		all = append(all, memberOf(m, m.Name == n.config.Node.Name))
	}
	slices.SortFunc(all, byName)
	return all, nil
}

// listPeers asks the connector, which may be the program's. A panic is an error of the call.
func (n *Node) listPeers(ctx context.Context) (_ []peer.Peer, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("connector %s: panic: %v", n.kind, r)
		}
	}()
	return n.connector.List(ctx)
}

// WatchMembers yields the members that are up, sorted by name, this node included: at once, and whenever they change. While the
// connector cannot list them the last list stands; the first may hold this node alone. A slow reader misses lists in between,
// never the newest. It ends with ctx or with the node.
func (n *Node) WatchMembers(ctx context.Context) iter.Seq[[]Member] {
	return func(yield func([]Member) bool) {
		var last []Member
		for status := range n.supervisor.Watch(ctx) {
			if now := n.withSelf(listedMembers(status)); !slices.EqualFunc(now, last, sameMember) {
				last = now
				if !yield(slices.Clone(now)) {
					return
				}
			}
		}
	}
}

// listedMembers returns the last lists of all connectors.
func listedMembers(status cluster.Status) []peer.Peer {
	var all []peer.Peer
	for _, c := range status.Connectors {
		all = append(all, c.Peers...)
	}
	return all
}

// memberOf translates a member of the gossip core.
func memberOf(m *gossip.Member, self bool) Member {
	return Member{Name: m.Name, Addr: m.Addr, Zone: m.Zone, Version: m.Version, Status: m.Status, Self: self}
}

// withSelf returns peers that are up, and this node, sorted, each name once.
func (n *Node) withSelf(peers []peer.Peer) []Member {
	self := Member{Name: n.config.Node.Name, Zone: n.config.Node.Zone, Version: n.config.Node.Version, Status: gossip.Up, Self: true}
	if r, ok := n.connector.(connector.SelfReporter); ok {
		for _, p := range r.Self() {
			self.Addr = cmp.Or(self.Addr, p.Addr)
		}
	}
	all := []Member{self}
	for _, p := range peers {
		all = append(all, Member{Name: cmp.Or(p.ID, p.Addr), Addr: p.Addr, Zone: p.Zone, Version: p.Version, Status: gossip.Up})
	}
	slices.SortStableFunc(all, byName)
	return slices.CompactFunc(all, func(a, b Member) bool { return a.Name == b.Name })
}

// sameMember leaves out the own address, which is found out while the node starts.
func sameMember(a, b Member) bool {
	if a.Self && b.Self {
		a.Addr = b.Addr
	}
	return a == b
}

func byName(a, b Member) int { return cmp.Compare(a.Name, b.Name) }

package agent

import (
	"context"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
)

// sendMembers replies with one member after the other.
func (n *Node) sendMembers(ctx context.Context, _ admin.Request, out send) error {
	list, err := n.memberList(ctx)
	for i := 0; err == nil && i < len(list); i++ {
		err = out(list[i])
	}
	return err
}

func (n *Node) memberList(ctx context.Context) ([]admin.Member, error) {
	g := n.Gossip()
	if g == nil {
		return n.listedMembers(ctx)
	}
	links, err := g.Links(ctx)
	if err != nil {
		return nil, err
	}
	phi := make(map[string]float64, len(links))
	for _, l := range links {
		phi[l.Peer] = l.Phi
	}
	var all []admin.Member
	for m := range g.View().All() {
		one := memberOf(m, m.Name == n.config.Node.Name)
		all = append(all, admin.Member{
			Name: one.Name, Status: one.Status.String(), Addr: admin.Text(one.Addr), Links: m.Links, Phi: phi[m.Name], Keys: m.NumKeys(),
			Zone: admin.Text(one.Zone), Version: admin.Text(one.Version), Self: one.Self,
		})
	}
	return all, nil
}

// memberOf translates a member of the gossip core.
func memberOf(m *gossip.Member, self bool) Member {
	return Member{Name: m.Name, Addr: m.Addr, Zone: m.Zone, Version: m.Version, Status: m.Status, Self: self}
}

// listedMembers returns what any connector knows: the members that are up.
func (n *Node) listedMembers(ctx context.Context) ([]admin.Member, error) {
	peers, err := n.connector.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []admin.Member
	for _, m := range n.withSelf(peers) {
		all = append(all, admin.Member{Name: m.Name, Status: m.Status.String(), Addr: admin.Text(m.Addr), Self: m.Self})
	}
	return all, nil
}

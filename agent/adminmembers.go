package agent

import (
	"context"

	"github.com/goconvoke/convoke/connector/gossip"
	core "github.com/goconvoke/convoke/gossip"
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
		one := memberOf(m, m.ID == n.config.Node.Name)
		all = append(all, admin.Member{
			Name: one.Name, Status: one.Status.String(), Addr: admin.Text(one.Addr), Links: m.Links, Phi: phi[m.ID], Keys: m.NumKeys(),
			Zone: admin.Text(one.Zone), Version: admin.Text(one.Version), Self: one.Self,
		})
	}
	return all, nil
}

// memberOf translates a member of the gossip core.
func memberOf(m *core.Member, self bool) Member {
	one := Member{Name: m.ID, Addr: m.Addr, Status: m.Status, Self: self}
	one.Zone, _ = m.Get(gossip.ZoneKey)
	one.Version, _ = m.Get(gossip.VersionKey)
	return one
}

// listedMembers returns what any connector knows: who is up.
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

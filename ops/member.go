package ops

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/peer"
)

// Member is one member as this node sees it. Only the gossip core knows more than the name and the address.
type Member struct {
	Name    string     `json:"name"`           // the address where the connector has no names
	Status  string     `json:"status"`         // up, degraded, down, left
	Since   *time.Time `json:"since,omitzero"` // of the status, by the clock of this node
	Addr    Text       `json:"addr"`
	Zone    Text       `json:"zone,omitzero"`
	Version Text       `json:"version,omitzero"` // of the application
	Links   int        `json:"links"`            // that both ends publish
	Phi     float64    `json:"phi"`              // of this node's own link to it, 0 without one
	Keys    int        `json:"keys"`             // how many it publishes
	HTTP    string     `json:"http,omitzero"`    // the address of its page and its API, if it serves them on a port
	Self    bool       `json:"self,omitzero"`
}

// Members returns the members that this node knows, by name, itself included. The gossip core knows those that are down or have left
// too; other connectors list those that are up.
func (a *API) Members(ctx context.Context) ([]Member, error) {
	g := a.config.Gossip()
	if g == nil || g.Err() != nil {
		return a.listedMembers(ctx)
	}
	held, err := linksOf(ctx, g)
	if err != nil {
		return nil, err
	}
	v := g.View()
	all := make([]Member, 0, v.Len())
	for m := range v.All() {
		all = append(all, a.memberOf(m, held))
	}
	return all, nil
}

// Member returns the member of a name.
func (a *API) Member(ctx context.Context, name string) (Member, error) {
	if g := a.config.Gossip(); g != nil && g.Err() == nil {
		m, err := memberNamed(g, name)
		if err != nil {
			return Member{}, err
		}
		held, err := linksOf(ctx, g)
		return a.memberOf(m, held), err
	}
	all, err := a.listedMembers(ctx)
	if err != nil {
		return Member{}, err
	}
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
	}
	return Member{}, errNoMember(name)
}

func errNoMember(name string) error {
	return problemf(http.StatusNotFound, "no member is called %q: convoke members has all", name)
}

func memberNamed(g *gossip.Node, name string) (*gossip.Member, error) {
	if m, ok := g.View().Member(name); ok {
		return m, nil
	}
	return nil, errNoMember(name)
}

// memberLinks is what there is of links by member.
type memberLinks struct {
	counts map[string]int     // that both ends publish
	phi    map[string]float64 // the suspicion on the link of this node to it
}

func linksOf(ctx context.Context, g *gossip.Node) (memberLinks, error) {
	counts, err := g.LinkCounts(ctx)
	if err != nil {
		return memberLinks{}, err
	}
	links, err := g.Links(ctx)
	phi := make(map[string]float64, len(links))
	for _, l := range links {
		phi[l.Peer] = l.Phi
	}
	return memberLinks{counts, phi}, err
}

func (a *API) memberOf(m *gossip.Member, held memberLinks) Member {
	page, _ := m.Get(KeyHTTP)
	return Member{
		HTTP: pageOf(page, m.Addr),
		Name: m.Name, Status: m.Status.String(), Since: timeOf(m.Since), Addr: Text(m.Addr), Zone: Text(m.Zone), Version: Text(m.Version),
		Links: held.counts[m.Name], Phi: held.phi[m.Name], Keys: m.NumKeys(), Self: m.Name == a.config.Node.Name,
	}
}

// listedMembers returns what any connector knows: the members that are up, and this node.
func (a *API) listedMembers(ctx context.Context) ([]Member, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	peers, err := a.config.Connector.List(ctx)
	if err != nil {
		return nil, problemf(http.StatusServiceUnavailable, "the node does not run: %w", err)
	}
	up := gossip.Up.String()
	all := []Member{{Name: a.config.Node.Name, Status: up, Addr: a.ownAddr(), Zone: Text(a.config.Node.Zone), Version: Text(a.config.Node.Version), Self: true}}
	for _, p := range peers {
		all = append(all, peerMember(p, up))
	}
	slices.SortStableFunc(all, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b Member) bool { return a.Name == b.Name }), nil
}

func peerMember(p peer.Peer, status string) Member {
	return Member{Name: cmp.Or(p.ID, p.Addr), Status: status, Addr: Text(p.Addr), Zone: Text(p.Zone), Version: Text(p.Version)}
}

// ownAddr returns the address that others dial, "" until the node listens.
func (a *API) ownAddr() Text {
	if r, ok := a.config.Connector.(connector.SelfReporter); ok {
		if self := r.Self(); len(self) > 0 {
			return Text(self[0].Addr)
		}
	}
	return ""
}

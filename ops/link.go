package ops

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Link is a link of this node.
type Link struct {
	Peer  string    `json:"peer"` // the member at the other end
	Ours  bool      `json:"ours"` // this node dialled
	Since time.Time `json:"since"`
	RTT   *float64  `json:"rtt_seconds,omitzero"` // smoothed round-trip time; absent where the system does not report it
	Phi   float64   `json:"phi"`                  // suspicion that the link is dead, 0 to 100
}

// Edge is a link between two members that both publish.
type Edge struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Links returns the links of this node, by member. It needs the connector gossip.
func (a *API) Links(ctx context.Context) ([]Link, error) {
	if _, err := a.gossipNode(); err != nil {
		return nil, err
	}
	return a.links(ctx)
}

func (a *API) links(ctx context.Context) ([]Link, error) {
	links, err := a.config.Gossip().Links(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Link, 0, len(links))
	for _, l := range links {
		one := Link{Peer: l.Peer, Ours: l.Dialled, Since: l.Since, Phi: l.Phi}
		if rtt := l.RTT.Seconds(); rtt > 0 {
			one.RTT = &rtt
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Link) int { return cmp.Compare(a.Peer, b.Peer) })
	return all, nil
}

// Overlay returns the links between all members that both of their ends publish, as far as this node knows. It needs the connector gossip.
func (a *API) Overlay(ctx context.Context) ([]Edge, error) {
	g, err := a.gossipNode()
	if err != nil {
		return nil, err
	}
	edges, err := g.Overlay(ctx)
	all := make([]Edge, 0, len(edges))
	for _, e := range edges {
		all = append(all, Edge(e))
	}
	return all, err
}

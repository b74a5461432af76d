package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/gossip"
)

// Document is how a node and its cluster are at one moment, as the node knows it. What only the gossip core knows is absent with other
// connectors.
type Document struct {
	At         time.Time         `json:"at"`
	Cluster    string            `json:"cluster"`
	Node       Node              `json:"node"`
	Formed     bool              `json:"formed"` // all topologies were whole once
	Whole      bool              `json:"whole"`  // and are now
	Topologies []Topology        `json:"topologies"`
	Connectors []Connector       `json:"connectors"`
	Members    map[string]int    `json:"members"` // how many, by status
	Gossip     *Gossip           `json:"gossip,omitzero"`
	Links      []Link            `json:"links"`
	Counters   map[string]uint64 `json:"counters,omitzero"`  // of the gossip core, since the start
	Agreement  *Agreement        `json:"agreement,omitzero"` // only if it was asked for
	Quorum     *QuorumStatus     `json:"quorum,omitzero"`    // nil without one
	Groups     []Group           `json:"groups,omitzero"`
	Events     []Event           `json:"events,omitzero"` // the newest, oldest first, if they were asked for
}

// Gossip is what the gossip core knows of its data.
type Gossip struct {
	Isolated   bool       `json:"isolated"`          // there are other members, and none can be reached
	Hash       string     `json:"hash"`              // of the records of all members
	SharedHash string     `json:"shared_hash"`       // of the shared map
	Staleness  float64    `json:"staleness_seconds"` // for how long some neighbour has had another state
	Shared     SharedSize `json:"shared"`
}

// SharedSize is how large the shared map is at this node, in bytes.
type SharedSize struct {
	Keys       int `json:"keys"`
	Values     int `json:"values_bytes"`
	Tombstones int `json:"tombstones_bytes"` // of deleted keys, until they are forgotten
	Limit      int `json:"limit_bytes"`      // of values, and of tombstones
}

// Connector is what a connector, or a list callback, lists.
type Connector struct {
	Name   string `json:"name"`
	Listed bool   `json:"listed"`         // it could list its peers once
	Error  string `json:"error,omitzero"` // why it cannot now
	Peers  int    `json:"peers"`          // of the last list, without this node
}

// Document returns how the node is now. It asks no other node, and waits for nothing but the loops of this one.
func (a *API) Document(ctx context.Context) Document {
	now := a.config.Supervisor.Status()
	d := Document{
		At: time.Now(), Cluster: now.Cluster, Node: a.node(ctx), Formed: now.Formed, Whole: now.Formed,
		Topologies: []Topology{}, Connectors: []Connector{}, Members: map[string]int{}, Links: []Link{},
	}
	for i := range now.Topologies {
		d.Topologies = append(d.Topologies, topologyOf(&now.Topologies[i]))
		d.Whole = d.Whole && now.Topologies[i].Whole
	}
	for _, c := range now.Connectors {
		d.Connectors = append(d.Connectors, Connector{c.Name, c.Listed, errorText(c.Err), len(c.Peers)})
	}
	a.addMembers(&d, now)
	if a.config.Quorum != nil {
		q := a.config.Quorum.Status(ctx)
		d.Quorum = &q
	}
	if a.config.Shards != nil {
		d.Groups = a.config.Shards.Groups(ctx)
	}
	if g := a.config.Gossip(); g != nil && g.Err() == nil {
		d.Counters = countersOf(g.Counters())
		if links, err := a.links(ctx); err == nil {
			d.Links = links
		}
		d.Gossip = gossipOf(ctx, g)
	}
	return d
}

// addMembers counts the members by status: those of the gossip core, else those that are listed and this node. A node that does not run
// counts none.
func (a *API) addMembers(d *Document, now cluster.Status) {
	if g := a.config.Gossip(); g != nil {
		if g.Err() != nil {
			return
		}
		for m := range g.View().All() {
			d.Members[m.Status.String()]++
		}
		return
	}
	for _, c := range now.Connectors {
		if c.Listed && c.Err == nil {
			d.Members[gossip.Up.String()] = max(d.Members[gossip.Up.String()], len(c.Peers)+1)
		}
	}
}

func gossipOf(ctx context.Context, g *gossip.Node) *Gossip {
	v := g.View()
	out := &Gossip{Isolated: v.Isolated, Hash: hexHash(v.Hash), SharedHash: hexHash(v.Shared), Staleness: g.Staleness().Seconds()}
	if s, err := g.Stats(ctx); err == nil { // else the node has ended
		out.Shared = SharedSize{s.SharedValues, s.SharedBytes, s.TombstoneBytes, s.SharedLimit}
	}
	return out
}

func hexHash(hash uint64) string { return fmt.Sprintf("%016x", hash) }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

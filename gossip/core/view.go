package core

import (
	"slices"
	"strings"
	"time"
)

// Status is what a node knows of a member.
type Status uint8

// The statuses of a member.
const (
	Up       Status = 1 // reachable over links that both ends publish
	Degraded Status = 2 // up, but with less than half of the links it should have
	Down     Status = 3 // known, but not reachable from here
	Left     Status = 4 // said goodbye
)

// String returns the status as a word: "up".
func (s Status) String() string {
	switch s {
	case Up:
		return "up"
	case Degraded:
		return "degraded"
	case Down:
		return "down"
	case Left:
		return "left"
	}
	return "unknown"
}

// Member is one node in a View.
type Member struct {
	ID         string
	Addr       string
	Generation uint64
	Version    uint64
	Status     Status
	Links      int               // links that both ends publish
	Phi        float64           // suspicion on our own link to it; 0 without one
	Keys       map[string]string // what it published; nil if nothing
}

// View is what a node knows at one moment. It is never changed.
type View struct {
	Members  []Member // sorted by ID, the node itself included
	Hash     uint64   // of all records: equal at two nodes, so are the members' keys
	Shared   uint64   // hash of the shared map
	Isolated bool     // there are others, and none is reachable
	Pending  bool     // the verdict is about to be worked out anew, or held back as one against most members
}

// View returns what this node knows now.
func (c *Core) View() View {
	v := View{Hash: c.store.hash, Shared: c.shared.hash, Pending: c.judge.dueAt != 0, Members: make([]Member, 0, c.store.known)}
	others := 0
	for _, t := range c.store.slots {
		if t.rec == nil {
			continue
		}
		v.Members = append(v.Members, c.member(t))
		if t != c.self && !t.left {
			others++
		}
	}
	v.Isolated = others > 0 && c.judge.up == 1
	slices.SortFunc(v.Members, func(a, b Member) int { return strings.Compare(a.ID, b.ID) })
	return v
}

func (c *Core) member(t *slot) Member {
	m := Member{ID: t.rec.id, Addr: t.addr, Generation: t.rec.generation, Version: t.rec.version, Status: Down}
	for _, i := range t.linked {
		if c.store.slots[i].mutual(t) {
			m.Links++
		}
	}
	switch {
	case t.left:
		m.Status = Left
	case t.up && 2*m.Links < min(2*c.cfg.Rings, c.judge.up-1):
		m.Status = Degraded
	case t.up:
		m.Status = Up
	}
	if l := c.links.byPeer[t]; l != nil {
		m.Phi = l.detector.phi(c.now())
	}
	for _, e := range t.rec.entries {
		if e.Kind == KindUser && !e.Deleted {
			if m.Keys == nil {
				m.Keys = map[string]string{}
			}
			m.Keys[e.Key] = e.Value
		}
	}
	return m
}

// Linked tells whether this node holds a link to another one that has passed its hysteresis, so that it is published or about
// to be.
func (c *Core) Linked(n NodeID) bool {
	t := c.store.byNode[n]
	return t != nil && c.links.byPeer[t] != nil && c.links.byPeer[t].ready()
}

// Pending is View().Pending without the cost of a View.
func (c *Core) Pending() bool { return c.judge.dueAt != 0 }

// Entries is the number of entries in this node's own record, tombstones included.
func (c *Core) Entries() int { return len(c.self.rec.entries) }

// Links is the number of streams in use.
func (c *Core) Links() int { return len(c.links.list) }

// Hash is the hash of all records, as in View, without the cost of one.
func (c *Core) Hash() uint64 { return c.store.hash }

// SharedHash is the hash of the shared map, as in View.
func (c *Core) SharedHash() uint64 { return c.shared.hash }

// IsUp tells whether a member is up or degraded, without the cost of a View.
func (c *Core) IsUp(n NodeID) bool {
	t := c.store.byNode[n]
	return t != nil && t.up && !t.left
}

// Has returns the generation and the version at which this node has a record; 0, 0 if it has none.
func (c *Core) Has(n NodeID) (generation, version uint64) {
	if t := c.store.byNode[n]; t != nil && t.rec != nil {
		return t.rec.generation, t.rec.version
	}
	return 0, 0
}

// UpCount is the number of members that are up or degraded, this node included.
func (c *Core) UpCount() int { return c.judge.up }

// Time is the running time of this node: what the deadlines of its view are counted in.
func (c *Core) Time() time.Duration { return c.now() }

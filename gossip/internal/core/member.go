package core

import (
	"iter"
	"strconv"
	"time"
)

// Status is what a node knows of a member.
type Status uint8

// The statuses of a member.
const (
	Up       Status = 1 // reachable over links that both ends publish
	Degraded Status = 2 // up, but with less than half of the links it should have
	Down     Status = 3 // known, but not reachable from here
	Left     Status = 4 // announced it
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

// Member is what this node knows of one member at one moment. It is comparable: two that are equal show the same.
type Member struct {
	Name       string
	Addr       string
	Generation uint64
	Version    uint64 // of the record
	Status     Status
	Links      int    // links that both ends publish
	Protocol   uint16 // highest version of the wire protocol that it speaks; 0: not known
	Zone       string // where it runs, as it publishes it
	Release    string // the version of its application, as it publishes it
	Keys       Keys
}

// Members yields all members that are known, this node included, in no order. It costs as much as there are.
func (c *Core) Members() iter.Seq[Member] {
	return func(yield func(Member) bool) {
		for _, t := range c.store.slots {
			if t.rec != nil && !yield(c.member(t)) {
				return
			}
		}
	}
}

// Member returns the member of a name.
func (c *Core) Member(name string) (Member, bool) {
	t := c.store.byNode[HashID(name)]
	if t == nil || t.rec == nil || t.rec.id != name {
		return Member{}, false
	}
	return c.member(t), true
}

// TakeChanged returns the names of members that may be other than they were, or may be known no longer, since the last call, in no
// order. A shell that looks at these alone has all members as they are.
func (c *Core) TakeChanged() []string {
	if full := c.fullLinks(); full != c.fullShown { // in clusters of few only
		c.fullShown = full
		for _, t := range c.store.slots {
			if t.up {
				c.store.touch(t)
			}
		}
	}
	names := make([]string, 0, len(c.store.touched))
	for _, m := range c.store.touched {
		if t := c.store.byNode[m.node]; t != nil {
			t.touched = false
		}
		names = append(names, m.name)
	}
	if c.store.touched = c.store.touched[:0]; cap(c.store.touched) > maxTouched {
		c.store.touched = nil
	}
	return names
}

// maxTouched is the number of changed members up to which the list of them is kept.
const maxTouched = 64

// fullLinks is the number of links below half of which a member that is up is degraded: that of a member with all its neighbours.
func (c *Core) fullLinks() int { return min(2*c.cfg.Rings, c.judge.up-1) }

// isDegraded reports whether a member that is up has less than half of the links that it should have.
func (c *Core) isDegraded(t *slot) bool { return 2*len(t.peers) < c.fullLinks() }

// member returns a member as a view shows it now.
func (c *Core) member(t *slot) Member {
	r := t.rec
	m := Member{Name: r.id, Addr: t.addr, Generation: r.generation, Version: r.version, Status: Down, Links: len(t.peers), Keys: r.keys()}
	if v := r.meta(MetaProtocol); v != "" {
		p, _ := strconv.ParseUint(v, 10, 16)
		m.Protocol = uint16(p)
	}
	m.Zone, m.Release = r.meta(MetaZone), r.meta(MetaVersion)
	switch {
	case t.left:
		m.Status = Left
	case t.up && c.isDegraded(t):
		m.Status = Degraded
	case t.up:
		m.Status = Up
	}
	return m
}

// Isolated reports whether this node knows others and reaches none of them.
func (c *Core) Isolated() bool {
	others := c.store.known - c.store.departed
	if !c.self.left {
		others--
	}
	return others > 0 && c.judge.up == 1
}

// Known is the number of members that are known, this node included.
func (c *Core) Known() int { return c.store.known }

// LinkInfo is one link of this node, as it is at one moment.
type LinkInfo struct {
	Peer    string        // name of the member at the other end
	Phi     float64       // suspicion that the link is dead, 0 to MaxPhi: -log10 of the chance that a frame is still to come
	Age     time.Duration // how long the link has been in use, in running time
	Dialled bool          // by this node
}

// LinkInfos returns the links of this node, in a fixed order. They change as time goes by, and so they are not in a View.
func (c *Core) LinkInfos() []LinkInfo {
	all := make([]LinkInfo, 0, len(c.links.list))
	for _, l := range c.links.list {
		all = append(all, LinkInfo{Peer: l.name, Phi: l.detector.phi(c.now()), Age: c.now() - l.since, Dialled: l.ours})
	}
	return all
}

// Linked reports whether this node holds a link to another one that has passed its hysteresis, so that it is published or about
// to be.
func (c *Core) Linked(n NodeID) bool {
	t := c.store.byNode[n]
	return t != nil && c.links.byPeer[t] != nil && c.links.byPeer[t].ready()
}

// Pending reports whether the verdict on who is up is about to be worked out again, or is held back as one against most members.
func (c *Core) Pending() bool { return c.judge.dueAt != 0 }

// Entries is the number of entries in this node's own record, tombstones included.
func (c *Core) Entries() int { return c.self.rec.count() }

// Links is the number of streams in use.
func (c *Core) Links() int { return len(c.links.list) }

// Hash is the hash of all records: equal at two nodes, so are the records.
func (c *Core) Hash() uint64 { return c.store.hash }

// SharedHash is the hash of the shared map.
func (c *Core) SharedHash() uint64 { return c.shared.hash }

// IsUp reports whether a member is up or degraded.
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

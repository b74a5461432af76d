package core

import (
	"iter"
	"strconv"
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

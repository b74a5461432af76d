package core

import (
	"errors"
	"iter"
	"time"
)

// CheckSharedSet returns why a key of the shared map cannot be written, nil if it can.
func (c *Core) CheckSharedSet(key, value string) error { return c.replica.checkSet(key, value, 0) }

// CheckSharedSetFor is CheckSharedSet of a key that is to last for a time, 0 for ever.
func (c *Core) CheckSharedSetFor(key, value string, ttl time.Duration) error {
	return c.replica.checkSet(key, value, ttl)
}

// CheckSharedDelete returns why a key of the shared map cannot be deleted, nil if it can, or if it has no value.
func (c *Core) CheckSharedDelete(key string) error { return c.replica.checkDelete(key) }

// Shared returns the value of a key of the shared map and the stamp of the write that made it. Without a value, the stamp is that of
// the delete, 0 if nothing is known of the key. It follows from the outputs so far: a value lasts until the step that ends it.
func (c *Core) Shared(key string) (value string, stamp Stamp, ok bool) {
	e := c.shared.find(SpaceUser, key)
	if e == nil {
		return "", 0, false
	}
	return e.Value, e.Stamp, !e.Deleted
}

// CheckClock returns ErrClockAhead if what this node wrote to a new key of the shared map would be refused by all others.
func (c *Core) CheckClock() error { return c.replica.checkStamp(nil) }

// CheckSet returns why an own key cannot be written, nil if it can.
func (c *Core) CheckSet(key, value string) error { return c.own.check(key, value) }

// CheckRemove returns why a member cannot be removed, nil if it can.
func (c *Core) CheckRemove(id string) error {
	t := c.store.byNode[HashID(id)]
	switch {
	case t == c.self:
		return errors.New("a node does not remove itself: it leaves")
	case t == nil || t.rec == nil:
		return ErrUnknownMember
	}
	return c.CheckClock()
}

// ErrUnknownMember means that no member of that name is known.
var ErrUnknownMember = errors.New("no member of that name is known")

// ErrTombstones means that so many keys were deleted, or have expired, in the last 10 minutes that one more could not be remembered as
// deleted.
var ErrTombstones = errors.New("too many keys of the shared map were deleted or have expired in the last 10 minutes; try again later")

// Lag returns for how long what has arrived waits until a step takes it; 0 if this node keeps up. A shell makes fewer views the
// larger it is, and admits newcomers more slowly.
func (c *Core) Lag() time.Duration { return c.load.lag }

// Aged reports whether this node must not be taken for one that has all keys that still exist: it was apart from its cluster for
// longer than Config.Horizon, or has just been started for the first time. It is for [Hello.Aged].
func (c *Core) Aged() bool { return !c.aging.settled }

// Since is the moment since when the history of this node's cluster goes: of older keys that it does not have, it does not know whether
// they exist. It is 0 if that is not known, and the highest number for a new process. It is for [Hello.Since].
func (c *Core) Since() Moment { return c.aging.began }

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
	ID      LinkID
	Peer    string        // name of the member at the other end
	Phi     float64       // suspicion that the link is dead, 0 to MaxPhi: -log10 of the chance that a frame is still to come
	Age     time.Duration // how long the link has been in use, in running time
	Dialled bool          // by this node
}

// LinkInfos returns the links of this node, in a fixed order. They change as time goes by, and so they are not in a View.
func (c *Core) LinkInfos() []LinkInfo {
	all := make([]LinkInfo, 0, len(c.links.list))
	for _, l := range c.links.list {
		all = append(all, LinkInfo{ID: l.id, Peer: l.name, Phi: l.detector.phi(c.now()), Age: c.now() - l.since, Dialled: l.ours})
	}
	return all
}

// Edges yields the names of both ends of each link that both publish, the lower name first, in no order.
func (c *Core) Edges() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, t := range c.store.slots {
			for _, p := range t.peers {
				if t.rec != nil && p.rec != nil && t.rec.id < p.rec.id && !yield(t.rec.id, p.rec.id) {
					return
				}
			}
		}
	}
}

// LinkCounts returns by name how many links each member has that both ends publish.
func (c *Core) LinkCounts() map[string]int {
	counts := make(map[string]int, c.store.known)
	for _, t := range c.store.slots {
		if t.rec != nil {
			counts[t.rec.id] = len(t.peers)
		}
	}
	return counts
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

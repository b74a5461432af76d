package core

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/btree"
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

// Member is one node in a View. It is never changed: a member of which nothing changed is the same Member in the next view.
type Member struct {
	ID         string
	Addr       string
	Generation uint64
	Version    uint64
	Status     Status
	live       int32 // keys without tombstones
	Links      int   // links that both ends publish

	keys    *entryMap // tombstones included; nil: no keys
	content uint64    // of the keys, see record.content
}

// Get returns the value of a key that the member publishes. It takes no lock and allocates nothing.
func (m *Member) Get(key string) (value string, ok bool) {
	if m.keys == nil {
		return "", false
	}
	e, ok := m.keys.Get(key)
	if !ok || e.Deleted {
		return "", false
	}
	return e.Value, true
}

// Keys yields the keys that the member publishes with their values, in the order of the keys.
func (m *Member) Keys() iter.Seq2[string, string] { return m.KeysFrom("") }

// KeysFrom is Keys from a key on: those that sort before it are skipped at no cost.
func (m *Member) KeysFrom(first string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if m.keys == nil {
			return
		}
		m.keys.Ascend(first, func(key string, e *Entry) bool { return e.Deleted || yield(key, e.Value) })
	}
}

// NumKeys returns the number of keys that the member publishes.
func (m *Member) NumKeys() int { return int(m.live) }

// SameKeys reports whether two members publish the same keys with the same values. It compares hashes of them, and costs the same
// however many there are.
func (m *Member) SameKeys(o *Member) bool {
	return m.keys == o.keys || m.live == o.live && m.content == o.content
}

// memberMap has the members of a view by ID. It is a B-tree whose copies share their nodes, so that a view costs what changed since
// the last one.
type memberMap = btree.Map[string, *Member]

// View is what a node knows at one moment. It is never changed, and may be read by many at once.
type View struct {
	Hash     uint64 // of all records: equal at two nodes, so are the members' keys
	Shared   uint64 // hash of the shared map
	Isolated bool   // there are others, and none is reachable
	Pending  bool   // the verdict is about to be worked out again, or held back as one against most members

	roster
}

// roster is the members of a view.
type roster struct {
	members *memberMap // nil: none
	before  *memberMap // the members of the view before, only to compare it; nil: changed is not kept
	changed []renewal  // since then, by ID
}

// renewal is a member then and now; nil where it is not known.
type renewal struct{ old, now *Member }

// Len returns the number of members, the node itself included.
func (v *View) Len() int {
	if v.members == nil {
		return 0
	}
	return v.members.Len()
}

// All yields the members by ID, the node itself included.
func (v *View) All() iter.Seq[*Member] {
	return func(yield func(*Member) bool) {
		if v.members != nil {
			v.members.Scan(func(_ string, m *Member) bool { return yield(m) })
		}
	}
}

// Member returns the member of a name. It takes no lock and allocates nothing.
func (v *View) Member(name string) (*Member, bool) {
	if v.members == nil {
		return nil, false
	}
	return v.members.Get(name)
}

// Since yields the members that differ from those of an older view of the same node, by ID: as they were, nil if not known then, and
// as they are, nil if not known any longer. It costs what changed if old is the view before, and a comparison per member otherwise.
func (v *View) Since(old *View) iter.Seq2[*Member, *Member] {
	switch {
	case v.members == old.members:
		return func(func(*Member, *Member) bool) {}
	case v.before != nil && v.before == old.members:
		return func(yield func(*Member, *Member) bool) {
			for _, r := range v.changed {
				if !yield(r.old, r.now) {
					return
				}
			}
		}
	}
	return func(yield func(*Member, *Member) bool) { compareMembers(old.members, v.members, yield) }
}

// compareMembers yields what differs between two maps.
func compareMembers(old, now *memberMap, yield func(*Member, *Member) bool) {
	var none memberMap
	if old == nil {
		old = &none
	}
	if now == nil {
		now = &none
	}
	a, b := old.Iter(), now.Iter()
	moreA, moreB := a.First(), b.First()
	for moreA || moreB {
		var was, is *Member
		order := strings.Compare(a.Key(), b.Key())
		if moreA && (!moreB || order <= 0) {
			was = a.Value()
		}
		if moreB && (!moreA || order >= 0) {
			is = b.Value()
		}
		if was != is && !yield(was, is) {
			return
		}
		if was != nil {
			moreA = a.Next()
		}
		if is != nil {
			moreB = b.Next()
		}
	}
}

// viewer keeps the members as they were last shown, and renews those that changed.
type viewer struct {
	members memberMap
	last    roster
	full    int // links below half of which a member was degraded
}

// maxRenewals bounds roster.changed: beyond that, comparing is not much more work.
const maxRenewals = 256

// View returns what this node knows now. It costs what changed since the last call, not what there is.
func (c *Core) View() *View {
	v := &View{Hash: c.store.hash, Shared: c.shared.hash, Pending: c.judge.dueAt != 0, roster: c.renewMembers()}
	others := c.store.known - c.store.departed
	if !c.self.left {
		others--
	}
	v.Isolated = others > 0 && c.judge.up == 1
	return v
}

// renewMembers makes those members again that may have changed since the last time.
func (c *Core) renewMembers() roster {
	w := &c.viewer
	if full := c.fullLinks(); full != w.full { // in clusters of few only
		w.full = full
		for _, t := range c.store.slots {
			if t.up {
				c.store.touch(t)
			}
		}
	}
	var changed []renewal
	for _, m := range c.store.touched {
		if t := c.store.byNode[m.node]; t != nil {
			t.touched = false
		}
		if old, now, ok := c.renewMember(m.name, m.node); ok {
			changed = append(changed, renewal{old, now})
		}
	}
	if c.store.touched = c.store.touched[:0]; cap(c.store.touched) > maxRenewals {
		c.store.touched = nil
	}
	if len(changed) == 0 {
		return w.last
	}
	next := roster{members: w.members.Copy()}
	if len(changed) <= maxRenewals {
		slices.SortFunc(changed, func(a, b renewal) int { return strings.Compare(a.id(), b.id()) })
		next.before, next.changed = w.last.members, changed
	}
	w.last = next
	return next
}

func (r renewal) id() string {
	if r.now != nil {
		return r.now.ID
	}
	return r.old.ID
}

// renewMember makes one member again, and reports whether it differs.
func (c *Core) renewMember(name string, node NodeID) (old, now *Member, changed bool) {
	old, _ = c.viewer.members.Get(name)
	t := c.store.byNode[node]
	if t == nil || t.rec == nil || t.rec.id != name {
		c.viewer.members.Delete(name)
		return old, nil, old != nil
	}
	m := c.member(t)
	if old != nil && *old == m {
		return old, old, false
	}
	now = &m
	c.viewer.members.Set(name, now)
	return old, now, true
}

// fullLinks is the number of links below half of which a member that is up is degraded: that of a member with all its neighbours.
func (c *Core) fullLinks() int { return min(2*c.cfg.Rings, c.judge.up-1) }

// member returns a member as a view shows it now.
func (c *Core) member(t *slot) Member {
	r := t.rec
	m := Member{ID: r.id, Addr: t.addr, Generation: r.generation, Version: r.version, Status: Down, Links: len(t.peers),
		keys: r.keys(), live: int32(r.live), content: r.content}
	switch {
	case t.left:
		m.Status = Left
	case t.up && 2*m.Links < c.fullLinks():
		m.Status = Degraded
	case t.up:
		m.Status = Up
	}
	return m
}

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

// Linked tells whether this node holds a link to another one that has passed its hysteresis, so that it is published or about
// to be.
func (c *Core) Linked(n NodeID) bool {
	t := c.store.byNode[n]
	return t != nil && c.links.byPeer[t] != nil && c.links.byPeer[t].ready()
}

// Pending is View().Pending without the cost of a View.
func (c *Core) Pending() bool { return c.judge.dueAt != 0 }

// Entries is the number of entries in this node's own record, tombstones included.
func (c *Core) Entries() int { return c.self.rec.count() }

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

package core

import (
	"slices"
	"time"
)

// linkDrop is a link that a member took back while the node at the other end published it: a sign that the node is gone. A link that the node
// has published again since, and the member has not, is not a sign: the member withholds it after a cut, as one that flaps.
type linkDrop struct {
	by *slot
	at time.Duration // running time at which this node learned of it
}

// dropsKept is for how many times Config.Silence a drop counts: the neighbours of one node that died notice so far apart.
const dropsKept = 3

// forgetDrop drops the sign that a node took back its link to this one.
func (s *slot) forgetDrop(n NodeID) {
	s.drops = slices.DeleteFunc(s.drops, func(d linkDrop) bool { return d.by.node == n })
}

// isDropped reports whether members that can be reached have taken back their links to t of late, while t published them, and as many as those
// whose links to t stand, of which none can be reached. They are fewer if t is alive and most of its neighbours are on the other side of a cut.
// A member to which this node holds a link is alive.
func (c *Core) isDropped(t *slot) bool {
	t.drops = slices.DeleteFunc(t.drops, func(d linkDrop) bool { return c.now()-d.at > dropsKept*c.cfg.Silence })
	if c.links.byPeer[t] != nil {
		return false
	}
	dropped := 0
	for _, d := range t.drops {
		if t.publishes(d.by) && d.by.rec != nil && c.judge.seen[d.by.index] {
			dropped++
		}
	}
	return dropped > 0 && dropped >= len(t.peers)
}

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

// addDrop notes that a member took back its link to a node.
func (s *store) addDrop(of, by *slot) {
	if s.drops == nil {
		s.drops = map[*slot][]linkDrop{}
	}
	s.drops[of] = append(s.drops[of], linkDrop{by, s.now})
}

// forgetDrop drops the sign that a member took back its link to a node.
func (s *store) forgetDrop(of, by *slot) {
	s.filterDrops(of, func(d linkDrop) bool { return d.by == by })
}

// filterDrops removes the drops of a node for which a function returns true.
func (s *store) filterDrops(of *slot, remove func(linkDrop) bool) {
	drops := s.drops[of]
	if len(drops) == 0 {
		return
	}
	if drops = slices.DeleteFunc(drops, remove); len(drops) > 0 {
		s.drops[of] = drops
	} else if delete(s.drops, of); len(s.drops) == 0 {
		s.drops = nil
	}
}

// forgetOldDrops drops the signs that count no longer.
func (v *verdict) forgetOldDrops() {
	for of := range v.store.drops {
		v.store.filterDrops(of, v.isOldDrop)
	}
}

func (v *verdict) isOldDrop(d linkDrop) bool { return v.now()-d.at > dropsKept*v.cfg.Silence }

// isDropped reports whether members that can be reached have taken back their links to t of late, while t published them, and as many as those
// whose links to t stand, of which none can be reached. They are fewer if t is alive and most of its neighbours are on the other side of a cut.
// A member to which this node holds a link is alive.
func (v *verdict) isDropped(t *slot) bool {
	if v.links.byPeer[t] != nil {
		return false
	}
	dropped := 0
	for _, d := range v.store.drops[t] {
		if !v.isOldDrop(d) && t.publishes(d.by) && d.by.rec != nil && v.seen[d.by.index] {
			dropped++
		}
	}
	return dropped > 0 && dropped >= len(t.peers)
}

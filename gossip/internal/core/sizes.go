package core

// Sizes is how much a core holds at one moment.
type Sizes struct {
	Links, LinksWanted             int // streams in use; members that are up and to which the rings ask for one
	SharedBytes, TombstoneBytes    int // of the shared map: what counts against Config.Limits.Shared, and as much again of tombstones
	SharedValues, SharedTombstones int // entries of the shared map
}

// Sizes returns how much this core holds. It costs as much as there are neighbours.
func (c *Core) Sizes() Sizes {
	m := &c.shared
	tombstones := m.graves.Len() + m.words.Len()
	s := Sizes{
		Links: len(c.links.list), SharedBytes: m.live, TombstoneBytes: m.dead,
		SharedValues: len(m.cells) - tombstones, SharedTombstones: tombstones,
	}
	for _, t := range c.ring.list {
		if t.up && !t.left {
			s.LinksWanted++
		}
	}
	return s
}

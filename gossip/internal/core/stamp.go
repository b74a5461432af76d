package core

import "time"

// Stamp orders writes of many nodes: a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014). The upper 48
// bits are milliseconds since 1970, the lower 16 count what happened within one. A write that follows another has the higher
// stamp, however wrong the clock of its node is.
type Stamp uint64

const counterBits = 16

// Time is the physical part.
func (s Stamp) Time() time.Time { return time.UnixMilli(int64(s >> counterBits)) }

// stampAt is the first stamp of a moment.
func stampAt(at Moment) Stamp { return Stamp(max(0, at)) << counterBits }

// hlc is the clock of one node.
type hlc struct{ last Stamp }

// next returns a stamp for a write that replaces one of stamp old, above it and above all that were written or seen, and not before
// base. What the clock shows beyond limit is of the time when the clock of this node was wrong, and does not count: else all
// that the node writes would be of the future too, and no other node would take it. False: the stamp itself is beyond limit,
// and not just because what it replaces is.
func (c *hlc) next(old Stamp, base Moment, limit Stamp) (Stamp, bool) {
	last := c.last
	if last >= limit {
		last = 0
	}
	s := max(last+1, stampAt(base), old+1)
	return s, s <= limit || old >= limit && s == old+1
}

// wrote notes a stamp that was given, unless it is of the future.
func (c *hlc) wrote(s, limit Stamp) {
	if s <= limit && (c.last > limit || s > c.last) {
		c.last = s
	}
}

// see notes a stamp of another node, unless it is of the future.
func (c *hlc) see(s, limit Stamp) {
	if s <= limit {
		c.last = max(c.last, s)
	}
}

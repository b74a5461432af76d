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
func stampAt(t time.Time) Stamp { return Stamp(max(0, t.UnixMilli())) << counterBits }

// hlc is the clock of one node.
type hlc struct{ last Stamp }

// tick returns a stamp for a write, above all that were written or seen.
func (c *hlc) tick(now time.Time) Stamp {
	c.last = max(c.last+1, stampAt(now))
	return c.last
}

// see takes note of a stamp of another node.
func (c *hlc) see(s Stamp) { c.last = max(c.last, s) }

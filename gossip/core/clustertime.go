package core

import (
	"slices"
	"time"
)

// heardClock is what a neighbour's clock showed when it was last heard.
type heardClock struct {
	clock time.Time     // zero: not known
	at    time.Duration // running time here
}

func (l *link) hearClock(ms int64, now time.Duration) {
	if ms > 0 && ms < maxExpires {
		l.clock = heardClock{time.UnixMilli(ms), now}
	}
}

// clusterTime is the lower median of our clock and of those of our neighbours, so that one clock that is wrong, our own too,
// decides nothing: what has expired, and which stamps are of the future. It is worked out once for each input.
func (c *Core) clusterTime() time.Time {
	if c.medianAt.Equal(c.clock.last) && !c.median.IsZero() {
		return c.median
	}
	all := append(c.clocks[:0], c.clock.last)
	for _, l := range c.links.list {
		if !l.clock.clock.IsZero() {
			all = append(all, l.clock.clock.Add(c.now()-l.clock.at))
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	c.clocks, c.median, c.medianAt = all, all[(len(all)-1)/2], c.clock.last
	return c.median
}

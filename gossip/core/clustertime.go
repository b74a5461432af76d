package core

import (
	"errors"
	"slices"
	"time"
)

// Moment is a point of cluster time, in milliseconds since 1970: what ages, expiries and horizons are counted in. It is neither the
// clock of one node (a time.Time) nor its running time (a time.Duration since its start). 0 is none.
type Moment int64

// MomentAt returns the moment at which cluster time reads t.
func MomentAt(t time.Time) Moment { return Moment(t.UnixMilli()) }

// Add returns the moment d later.
func (m Moment) Add(d time.Duration) Moment { return m + Moment(d.Milliseconds()) }

// Sub returns the time from o to m.
func (m Moment) Sub(o Moment) time.Duration { return time.Duration(m-o) * time.Millisecond }

// Time returns the moment as a time.
func (m Moment) Time() time.Time { return time.UnixMilli(int64(m)) }

// clockAhead is how far a stamp may be ahead of our clock. One that is further comes from a clock that is wrong; taken, it would
// win over all that others write until their clocks get there.
const clockAhead = time.Minute

// ErrClockAhead says that what a node writes would be refused by all others, so it is not written.
var ErrClockAhead = errors.New("the clock of this node is more than 1 m ahead of its neighbours' clocks; set it right")

// ReasonClockAhead is the reason of a [Rejected] for stamps that are more than a minute ahead of this node's clock: one of the two
// clocks is wrong.
const ReasonClockAhead = "stamp is more than 1 m ahead of the clock"

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

// clusterMoment is clusterTime as a moment.
func (c *Core) clusterMoment() Moment { return MomentAt(c.clusterTime()) }

func (c *Core) aheadOfClock(s Stamp) bool { return s > stampAt(c.clusterTime().Add(clockAhead)) }

// CheckClock returns ErrClockAhead if this node must not write to the shared map.
func (c *Core) CheckClock() error {
	if c.aheadOfClock(stampAt(c.clock.last)) {
		return ErrClockAhead
	}
	return nil
}

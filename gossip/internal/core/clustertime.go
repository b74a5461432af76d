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

// ErrClockAhead means that what a node writes would be refused by all others, so it is not written: its clock is ahead, or the key was
// last written by a clock that was.
var ErrClockAhead = errors.New("the stamp of the write would be more than 1 m ahead of the clocks of the cluster; " +
	"the clock of this node, or of the last writer of the key, is ahead")

// ReasonClockAhead is the reason of a [Rejected] for stamps that are more than a minute ahead of this node's clock: one of the two
// clocks is wrong.
const ReasonClockAhead = "stamp is more than 1 m ahead of the clock"

// heardClock is what a neighbour's clock showed when it was last heard.
type heardClock struct {
	clock Moment        // 0: not known
	at    time.Duration // running time here
}

// now is what the neighbour's clock shows now, if it runs as ours does.
func (h heardClock) now(at time.Duration) Moment { return h.clock.Add(at - h.at) }

// hearClock notes the clock of the peer, in milliseconds since 1970. What no clock can show is left out, so that it enters no median.
func (l *link) hearClock(ms int64, now time.Duration) {
	if ms > 0 && ms < maxExpires {
		l.clock = heardClock{Moment(ms), now}
	}
}

// maxClocks bounds the clocks of which the median is taken, the own one included: a member through which all others join has a link
// to each of them for some seconds.
const maxClocks = 33

// clusterClock is the lower median of our clock and of those of our neighbours, so that one clock that is wrong, our own too,
// decides nothing: what has expired, and which stamps are of the future. With two clocks the slower one is believed. It is worked
// out once for each input.
type clusterClock struct {
	*host
	links  *links
	median Moment // 0: to be worked out
	clocks []Moment

	noted   Moment // cluster time when it was last looked at for steps
	notedAt time.Duration
}

// reset makes the next moment work the time out again: time has passed, or a clock was heard.
func (k *clusterClock) reset() { k.median = 0 }

// own is the clock of this node, right or wrong, as it was at the last step.
func (k *clusterClock) own() Moment { return MomentAt(k.clock.last) }

// moment returns what ages, expiries and the future are counted from: the lower median.
func (k *clusterClock) moment() Moment {
	if k.median != 0 {
		return k.median
	}
	at := k.now()
	k.clocks = append(k.clocks[:0], k.own())
	for _, l := range k.links.list {
		if l.clock.clock != 0 && len(k.clocks) < maxClocks {
			k.clocks = append(k.clocks, l.clock.now(at))
		}
	}
	slices.Sort(k.clocks)
	k.median = k.clocks[(len(k.clocks)-1)/2]
	return k.median
}

// hear notes the clock of a neighbour.
func (k *clusterClock) hear(l *link, ms int64) {
	l.hearClock(ms, k.now())
	k.reset()
}

// noteStep has what was refused as of the future asked for again at once when cluster time was set forward.
func (k *clusterClock) noteStep() {
	now := k.moment()
	stepped := k.noted != 0 && now.Sub(k.noted)-(k.now()-k.notedAt) > clockStep
	k.noted, k.notedAt = now, k.now()
	if !stepped {
		return
	}
	for _, l := range k.links.list {
		l.shared.wait = 0
	}
}

// future is the last stamp that is not of the future.
func (k *clusterClock) future() Stamp { return stampAt(k.moment().Add(clockAhead)) }

// isFuture reports whether a stamp is of the future: more than clockAhead beyond cluster time.
func (k *clusterClock) isFuture(s Stamp) bool { return s > k.future() }

// isAhead reports whether a write is of the future for a node that has its key at a stamp, 0: not at all. One that closely follows
// what the node has is not: it does no more harm than that, and otherwise no node could write the key again before its time, after all
// clocks were set back. Nor is what is written of members, unless no clock can have given its stamp: after all clocks were set back, a
// member would be removed to those that have its removal and a member to the others. A node does not write it with a clock that is
// ahead, so that it is in the way of no later write.
func (k *clusterClock) isAhead(id uint64, s, had Stamp) bool {
	if isMemberID(id) {
		return s > stampAt(k.moment().Add(farGeneration))
	}
	return k.isFuture(s) && (s <= had || s-had > followsWithin || had == 0)
}

// followsWithin is how far above another stamp one closely follows it: many writes by a clock that stands at it.
const followsWithin = Stamp(1000) << counterBits

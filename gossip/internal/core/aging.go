package core

import "time"

// aging keeps a node that missed deletes from bringing deleted keys back, and a cluster that only stood still from losing any.
//
// A tombstone is kept for the horizon. A node that was apart from its cluster for longer may have values whose tombstones are gone
// everywhere, so it must not pass on what is older than the horizon, unless a neighbour that was not apart has it too. Being apart is
// not being without changes: a node takes part while it has a link, or knows no other member, and the moment until which it did is
// its contact, which a shell keeps. Two facts follow for each node:
//
//   - settled: it takes part in a cluster that does, so what it does not have does not exist any more. Only a settled node proves to
//     others that a key is gone. A new process is not settled: it may be the one without a disk among many that just come back.
//   - aged: it has values older than the horizon that may have been deleted. It collects no tombstone, since those may be the last.
//
// A node becomes aged when its contact is further back than the horizon: at its start, or while it runs cut off. It becomes settled,
// and is aged no longer,
//
//   - by a link to a settled node. If it was aged, or had met others before, it first drops the keys written before the horizon. Those that still exist come
//     back from the neighbour; since a settled node drops nothing without such a neighbour, some node has them.
//     A neighbour whose history began after the node was last in touch proves nothing, see below: then all is kept.
//   - when it has been up for a minute together with more than half of the members that it knows, and all its neighbours are as
//     unsettled as it is. Then the cluster as a whole was stopped, or is new: nothing is dropped. Two halves cannot do so apart.
//
// A node reports in the handshake whether it is settled ([Core.Aged] is the opposite). One that becomes settled later is not known as
// such on the links it has, and they may bring it old keys: directly, or by way of a new process, which is aged itself once it has
// taken such a key from an unsettled neighbour. So a settled node takes nothing older than the horizon over a link whose peer was
// not settled when the link began; it ends the link, and in the next handshake the peer learns what it needs to know. A link with
// nothing old to bring never ends for this.
//
// A settled node proves that a key is gone only if its cluster had the key. New processes that meet no other member begin a cluster of
// their own, which settles, too, and knows nothing of what a member keeps that was cut off, or stopped, before it began. Each settled
// node therefore knows since when the history of its cluster goes: since new processes settled together, or as long as that of a
// neighbour. It travels in handshakes, the earlier one of two counts, and a node that was in touch for the last time before the
// history of a neighbour began drops nothing for it. The history of that node is as short from then on: what others wrote between
// the two was never here.
//
// Tombstones that went early, by the floor, are the same question in small, see hearFloor. A partition into parts of several nodes
// that lasts for longer than the horizon, or than the floor allows, is beyond this: each part takes part in itself, and keys that
// one of them deleted come back from the other.
type aging struct {
	*host
	store   *store
	links   *links
	cluster *clusterClock
	judge   *verdict
	ring    *rings
	shared  *sharedMap
	replica *replica

	contact  Moment // until when this node took part while settled; 0: never
	began    Moment // since when the history of its cluster goes; 0: not known, that counts as always; never: it has none yet
	reported Moment // the contact that was last output
	settled  bool
	aged     bool
	met      bool          // it has had a link
	since    time.Duration // since when the members around could settle together; 0: they could not
	checked  time.Duration // when that was last looked at
	missed   Moment        // contact before the links of now; compared with the first floor that is heard, then 0
}

// never is the beginning of the history of a new process.
const never = lately

// settleAfter is how long members that come back together wait for one that was not away.
const settleAfter = time.Minute

// restore takes over the contact of an earlier life, and since when the history of its cluster goes; 0: not known.
func (a *aging) restore(contact, began Moment) {
	if contact != 0 {
		a.contact, a.reported, a.missed, a.settled, a.began = contact, contact, contact, true, began
	}
}

// check makes the node aged if its contact is further back than the horizon.
func (a *aging) check(now Moment, horizon time.Duration) {
	if a.contact != 0 && now.Sub(a.contact) > horizon {
		a.settled, a.aged, a.since = false, true, 0
	}
}

// settle makes the node settled, from a moment on, in a cluster whose history began at another one.
func (a *aging) settle(now, began Moment) {
	a.settled, a.aged, a.since = true, false, 0
	a.contact, a.began = now, began
	a.reported = 0 // a shell is to keep both at once
}

// interval is the least time between two outputs of the contact: short enough that a restart never makes a node look away for
// longer than a thousandth of the horizon beyond the truth.
func interval(horizon time.Duration) time.Duration {
	return min(max(horizon/1000, time.Second), time.Minute)
}

// checkAge makes this node aged if it has been alone for longer than the horizon.
func (a *aging) checkAge(now Moment) {
	if len(a.links.list) == 0 && a.members() > 1 {
		a.check(now, a.cfg.Horizon)
	}
}

// members is the number of members that belong together, this one included: all but those that left. Without another one there is
// nothing to be apart from.
func (a *aging) members() (n int) {
	for _, t := range a.store.slots {
		if t.rec != nil && (!t.left || t.up) {
			n++
		}
	}
	return n
}

// meet takes note of a new link, before anything is sent over it: the first one after a time alone may find that what was written
// then is of the future, or that this node was away for too long. The clock of the neighbour counts for that too, since a wrong
// clock of our own would hide it, and being aged without a need costs no more than getting the old keys once more.
func (a *aging) meet(l *link, aged bool, since Moment) {
	a.cluster.reset()

	l.unsettled = aged
	l.younger = a.contact != 0 && since > a.contact
	if len(a.links.list) == 1 {
		a.replica.rewriteAhead()
		if a.members() > 1 {
			a.check(max(a.cluster.own(), l.clock.clock), a.cfg.Horizon)
		}
		a.missed = a.contact
	}
	if aged || a.settled {
		a.met = true
		if aged != a.settled { // a settled node learns nothing from one that is not
			a.began = min(a.began, since)
		}
		return
	}
	// Even one that never settled may have old keys of others: from a moment after its start, before it was cut off with them.
	if (a.aged || a.met) && !l.younger {
		a.replica.report(a.shared.dropBefore(max(a.cluster.moment().Add(-a.cfg.Horizon), a.contact)))
	}
	if a.contact != 0 && !l.younger {
		since = min(since, a.began)
	}
	a.settle(a.cluster.moment(), since)
}

// work keeps the contact, and settles with others that are unsettled.
func (a *aging) work() {
	now := a.now()
	if now-a.checked < time.Second && a.checked != 0 {
		return
	}
	a.checked = max(1, now)
	a.cluster.noteStep()
	a.checkAge(a.cluster.own())
	if !a.settled {
		a.settleTogether()
		return
	}
	if len(a.links.list) == 0 && a.members() > 1 {
		return
	}
	a.contact = a.cluster.moment()
	if a.contact.Sub(a.reported).Abs() >= interval(a.cfg.Horizon) {
		a.reported = a.contact
		a.emit(Contact{At: a.contact, Floor: stampAt(a.shared.floor), Since: a.began})
	}
}

// settleTogether makes this node settled after a minute with more than half of the members it knows. A link to a settled one would
// have done so at once.
func (a *aging) settleTogether() {
	known := a.members()
	switch {
	case 2*a.judge.up <= known || known > 1 && len(a.links.list) == 0:
		a.since = 0
	case a.since == 0:
		a.since = max(1, a.now())
	case a.now()-a.since >= settleAfter && (known > 1 || a.contact != 0):
		a.settle(a.cluster.moment(), min(a.began, a.cluster.moment()))
	}
}

// fromUnsettled deals with an entry older than the horizon that came over a link whose peer was not settled when the link began. It
// reports whether the link is to end: this node is settled, and does not have the entry because it does not exist any more.
func (a *aging) fromUnsettled(l *link, e *SharedEntry) (end bool) {
	if !l.unsettled || e.Deleted || e.Space != SpaceUser || a.cluster.moment().Sub(MomentAt(e.Stamp.Time())) <= a.cfg.Horizon {
		return false
	}
	if old := a.shared.byID(e.id()); old != nil && !e.newer(old) {
		return false
	}
	if a.settled {
		return true
	}
	a.aged = true
	return false
}

// endUnsettled ends a link whose peer has to learn that this node is settled.
func (a *aging) endUnsettled(l *link) {
	a.send(l, &Bye{Reason: ByeUnwanted})
	a.emit(Close{Link: l.id, Graceful: true})
	a.links.drop(l)
	soonest(&a.links.publishAt, a.now()+a.cfg.Relax)
	a.ring.soon(false)
}

// hearFloor takes over the floor of a neighbour, before what it has is compared. The first one after a time without links may be
// beyond the moment since when this node was away: then deletes were missed whose tombstones are gone, and the keys written up to
// the floor are dropped, as they are when the node is aged. A neighbour with a lower floor is sent ours before it sends anything.
func (a *aging) hearFloor(l *link, floor Stamp) {
	m := a.shared
	at := m.raise(MomentAt(floor.Time()), a.cluster.moment())
	if !l.unsettled {
		if a.missed != 0 && at > a.missed && !l.younger {
			a.replica.report(m.dropBefore(at))
		}
		a.missed = 0
	}
	if at < m.floor {
		a.send(l, a.shared.summary())
	}
}

// summary sums up the map of this node.
func (m *sharedMap) summary() *SharedBuckets {
	return &SharedBuckets{Hashes: m.buckets, Floor: stampAt(m.floor)}
}

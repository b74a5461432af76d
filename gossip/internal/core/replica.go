package core

import (
	"fmt"
	"time"
)

// replica is how the shared map of this node changes: by own writes, which get their stamps here, by those of others, and as values expire
// and tombstones have had their time. Each change goes on to the flood and to the disk.
type replica struct {
	*host
	links       *links
	cluster     *clusterClock
	shared      *sharedMap
	sharedFlood *sharedFlood
	aging       *aging
	enforce     func(*SharedEntry) // applies an entry about a member
}

// nextStamp returns the stamp of a write that replaces old, nil if nothing is there, and false if all other nodes would refuse it.
// A clock that is behind does not count, since the cluster knows better.
func (r *replica) nextStamp(old *SharedEntry) (Stamp, bool) {
	replaced := Stamp(0)
	if old != nil {
		replaced = old.Stamp
	}
	return r.shared.clock.next(replaced, max(r.cluster.own(), r.cluster.moment()), r.cluster.future())
}

// checkStamp returns ErrClockAhead if a write in the place of old would be refused by all other nodes.
func (r *replica) checkStamp(old *SharedEntry) error {
	if _, ok := r.nextStamp(old); !ok {
		return ErrClockAhead
	}
	return nil
}

// write makes an own write of the shared map. If its stamp is of the future it is held back like every other one, see spread:
// that is for the protocol's own writes, those of the application are refused before.
func (r *replica) write(e SharedEntry) {
	e.Stamp, _ = r.nextStamp(r.shared.find(e.Space, e.Key))
	r.shared.clock.wrote(e.Stamp, r.cluster.future())
	r.writeStamped(e)
}

// writeStamped is write of an entry with a stamp, which must be above that of the entry whose place it takes.
func (r *replica) writeStamped(e SharedEntry) {
	e.Writer = r.self.node
	had := r.shared.stampOf(e.id())
	under := had
	if old := r.shared.cells[e.id()]; old != nil && old.alone {
		under = old.under
	}
	r.shared.put(&e)
	if own := r.shared.cells[e.id()]; own != nil && len(r.links.list) == 0 {
		own.alone, own.under = true, under
	}
	r.publish(&e, had)
}

// publish sends an own write on, which took the place of one with stamp had, and has it kept.
func (r *replica) publish(e *SharedEntry, had Stamp) {
	r.sharedFlood.spread(e, had, 0)
	r.remember(e)
	r.enforce(e)
}

func (r *replica) set(in SharedSet) {
	if err := r.checkSet(in.Key, in.Value, in.TTL); err != nil {
		r.emit(Rejected{Reason: err.Error()})
		return
	}
	r.write(SharedEntry{Key: in.Key, Value: in.Value, Expires: expiry(r.cluster.moment(), in.TTL)})
}

// expiry is when a key that lives for ttl dies; 0 is never.
func expiry(now Moment, ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return int64(now.Add(max(ttl, time.Millisecond)))
}

func (r *replica) delete(key string) {
	if e := r.shared.find(SpaceUser, key); e != nil && !e.Deleted && r.checkDelete(key) == nil {
		r.write(SharedEntry{Key: key, Deleted: true})
	}
}

// checkSet returns why a key cannot be written, to last for a time or, with 0, for ever.
func (r *replica) checkSet(key, value string, ttl time.Duration) error {
	if err := r.cfg.Limits.entry(key, value); err != nil {
		return err
	}
	e := SharedEntry{Key: key, Value: value}
	had := 0
	old := r.shared.find(SpaceUser, key)
	if old != nil && !old.Deleted {
		had = old.cost()
	}
	if grown := r.shared.live - had + e.cost(); grown > r.cfg.Limits.Shared {
		return fmt.Errorf("the shared map would have %d bytes, at most %d are possible", grown, r.cfg.Limits.Shared)
	}
	if ttl > 0 && (old == nil || !old.Deleted) && !r.shared.canBury(key, r.cluster.moment()) {
		return ErrTombstones
	}
	return r.checkStamp(old)
}

// checkDelete returns why a key of the shared map cannot be deleted, nil if it can, or if it has no value.
func (r *replica) checkDelete(key string) error {
	old := r.shared.find(SpaceUser, key)
	if old == nil || old.Deleted {
		return nil
	}
	if !r.shared.canBury(key, r.cluster.moment()) {
		return ErrTombstones
	}
	return r.checkStamp(old)
}

// rewriteAhead writes again what this node wrote while it was alone, by a clock that was more than a minute ahead of the cluster that
// it meets now: the writes were acknowledged, no other node has them, and none would take them before its clock gets there. They
// keep their time to live, and stay newer than what others may have of their keys from before. What was written in company stays as
// it is: others may have it, and a lower stamp here would lose to them later.
func (r *replica) rewriteAhead() {
	for _, own := range r.shared.writtenAlone() {
		e, under := own.entry, own.under
		if !r.cluster.isFuture(e.Stamp) {
			continue
		}
		next := *e
		next.Stamp, _ = r.shared.clock.next(under, r.cluster.moment(), r.cluster.future())
		if next.Stamp >= e.Stamp {
			continue
		}
		r.shared.clock.wrote(next.Stamp, r.cluster.future())
		if e.Expires != 0 {
			next.Expires -= e.Stamp.Time().Sub(next.Stamp.Time()).Milliseconds()
		}
		r.shared.replace(&next)
		r.publish(&next, under)
	}
}

// readmit takes back the removals of a name that are older than a life that began at a moment. The entry is stamped with that moment: with the
// present, it would also take back a removal of this very life that is on its way.
func (r *replica) readmit(id string, began Stamp) {
	e := SharedEntry{Space: SpaceMember, Key: id, Deleted: true}
	present, _ := r.nextStamp(r.shared.find(e.Space, e.Key))
	e.Stamp = max(r.shared.stampOf(e.id())+1, min(began, present))
	r.writeStamped(e)
}

// isBanned reports whether a name was removed.
func (r *replica) isBanned(id string) bool {
	return r.shared.removals > 0 && r.shared.find(SpaceMember, id).Removes(r.cluster.moment())
}

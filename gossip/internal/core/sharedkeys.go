package core

import (
	"errors"
	"fmt"
	"time"
)

// ErrTombstones means that so many keys were deleted, or have expired, in the last 10 minutes that one more could not be remembered as
// deleted.
var ErrTombstones = errors.New("too many keys of the shared map were deleted or have expired in the last 10 minutes; try again later")

// CheckSharedSet returns why a key of the shared map cannot be written, nil if it can.
func (c *Core) CheckSharedSet(key, value string) error { return c.CheckSharedSetFor(key, value, 0) }

// CheckSharedSetFor is CheckSharedSet of a key that is to last for a time, 0 for ever.
func (c *Core) CheckSharedSetFor(key, value string, ttl time.Duration) error {
	if err := c.cfg.Limits.entry(key, value); err != nil {
		return err
	}
	e := SharedEntry{Key: key, Value: value}
	had := 0
	old := c.shared.find(SpaceUser, key)
	if old != nil && !old.Deleted {
		had = old.cost()
	}
	if grown := c.shared.live - had + e.cost(); grown > c.cfg.Limits.Shared {
		return fmt.Errorf("the shared map would have %d bytes, at most %d are possible", grown, c.cfg.Limits.Shared)
	}
	if ttl > 0 && (old == nil || !old.Deleted) && !c.shared.canBury(key, c.clusterTime()) {
		return ErrTombstones
	}
	return c.checkStamp(old)
}

// CheckSharedDelete returns why a key of the shared map cannot be deleted, nil if it can, or if it has no value.
func (c *Core) CheckSharedDelete(key string) error {
	old := c.shared.find(SpaceUser, key)
	if old == nil || old.Deleted {
		return nil
	}
	if !c.shared.canBury(key, c.clusterTime()) {
		return ErrTombstones
	}
	return c.checkStamp(old)
}

// Shared returns the value of a key of the shared map and the stamp of the write that made it. Without a value, the stamp is that of
// the delete, 0 if nothing is known of the key. It follows from the outputs so far: a value lasts until the step that ends it.
func (c *Core) Shared(key string) (value string, stamp Stamp, ok bool) {
	e := c.shared.find(SpaceUser, key)
	if e == nil {
		return "", 0, false
	}
	return e.Value, e.Stamp, !e.Deleted
}

// writeShared makes an own write of the shared map. If its stamp is of the future it is held back like every other one, see spread:
// that is for the protocol's own writes, those of the application are refused before.
func (c *Core) writeShared(e SharedEntry) {
	e.Stamp, _ = c.nextStamp(c.shared.find(e.Space, e.Key))
	c.shared.clock.wrote(e.Stamp, c.future())
	c.writeStamped(e)
}

// writeStamped is writeShared of an entry with a stamp, which must be above that of the entry whose place it takes.
func (c *Core) writeStamped(e SharedEntry) {
	e.Writer = c.self.node
	had := c.stampOf(e.id())
	under := had
	if old := c.shared.cells[e.id()]; old != nil && old.alone {
		under = old.under
	}
	c.shared.put(&e)
	if own := c.shared.cells[e.id()]; own != nil && len(c.links.list) == 0 {
		own.alone, own.under = true, under
	}
	c.publishShared(&e, had)
}

// publishShared sends an own write on, which took the place of one with stamp had, and has it kept.
func (c *Core) publishShared(e *SharedEntry, had Stamp) {
	c.spread(e, had, 0)
	c.remember(e)
	c.enforce(e)
}

func (c *Core) setShared(in SharedSet) {
	if err := c.CheckSharedSetFor(in.Key, in.Value, in.TTL); err != nil {
		c.emit(Rejected{Reason: err.Error()})
		return
	}
	c.writeShared(SharedEntry{Key: in.Key, Value: in.Value, Expires: expiry(c.clusterTime(), in.TTL)})
}

// expiry is when a key that lives for ttl dies; 0 is never.
func expiry(now Moment, ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return int64(now.Add(max(ttl, time.Millisecond)))
}

func (c *Core) deleteShared(key string) {
	if e := c.shared.find(SpaceUser, key); e != nil && !e.Deleted && c.CheckSharedDelete(key) == nil {
		c.writeShared(SharedEntry{Key: key, Deleted: true})
	}
}

// rewriteAhead writes again what this node wrote while it was alone, by a clock that was more than a minute ahead of the cluster that
// it meets now: the writes were acknowledged, no other node has them, and none would take them before its clock gets there. They
// keep their time to live, and stay newer than what others may have of their keys from before. What was written in company stays as
// it is: others may have it, and a lower stamp here would lose to them later.
func (c *Core) rewriteAhead() {
	for _, own := range c.shared.writtenAlone() {
		e, under := own.entry, own.under
		if !c.aheadOfClock(e.Stamp) {
			continue
		}
		next := *e
		next.Stamp, _ = c.shared.clock.next(under, c.clusterTime(), c.future())
		if next.Stamp >= e.Stamp {
			continue
		}
		c.shared.clock.wrote(next.Stamp, c.future())
		if e.Expires != 0 {
			next.Expires -= e.Stamp.Time().Sub(next.Stamp.Time()).Milliseconds()
		}
		c.shared.replace(&next)
		c.publishShared(&next, under)
	}
}

package core

import (
	"fmt"
	"time"
)

// CheckSharedSet returns why a key of the shared map cannot be written, nil if it can.
func (c *Core) CheckSharedSet(key, value string) error {
	if err := c.cfg.Limits.entry(key, value); err != nil {
		return err
	}
	e := SharedEntry{Key: key, Value: value}
	had := 0
	if old := c.shared.find(SpaceUser, key); old != nil {
		had = old.cost()
	}
	if grown := c.shared.size - had + e.cost(); grown > c.cfg.Limits.Shared {
		return fmt.Errorf("the shared map would have %d bytes, at most %d are possible", grown, c.cfg.Limits.Shared)
	}
	return c.CheckClock()
}

// Shared returns the value of a key of the shared map and the stamp of the write that made it. Without a value, the stamp is that of
// the delete, 0 if nothing is known of the key.
func (c *Core) Shared(key string) (value string, stamp Stamp, ok bool) {
	e := c.shared.find(SpaceUser, key)
	if e == nil {
		return "", 0, false
	}
	if !e.live(c.clusterTime()) {
		return "", e.Stamp, false
	}
	return e.Value, e.Stamp, true
}

// writeShared makes an own write of the shared map.
func (c *Core) writeShared(e SharedEntry) {
	e.Stamp, e.Writer = c.shared.clock.tick(c.clock.last), c.self.node
	c.shared.put(&e)
	c.spread(&e, 0)
	c.remember(&e)
	c.enforce(&e)
}

func (c *Core) setShared(in SharedSet) {
	if err := c.CheckSharedSet(in.Key, in.Value); err != nil {
		c.emit(Rejected{Reason: err.Error()})
		return
	}
	c.writeShared(SharedEntry{Key: in.Key, Value: in.Value, Expires: expiry(c.clusterTime(), in.TTL)})
}

// expiry is when a key that lives for ttl dies; 0 is never.
func expiry(now time.Time, ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return now.Add(ttl).UnixMilli()
}

func (c *Core) deleteShared(key string) {
	if e := c.shared.find(SpaceUser, key); e != nil && e.live(c.clusterTime()) && c.CheckClock() == nil {
		c.writeShared(SharedEntry{Key: key, Deleted: true})
	}
}

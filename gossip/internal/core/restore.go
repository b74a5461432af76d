package core

import (
	"cmp"
)

// restore takes over what a shell kept of an earlier life. Members come back as the first version of their records, which is their
// address, and are called at once. Of the shared map every entry that is well formed is taken: it was judged when it was accepted,
// and a clock that is behind now must not make it vanish. A node that kept the entry that removes itself, since it died before it
// could put its state aside, obeys it now: those who turn it away have nothing newer to send.
func (c *Core) restore(in Restore) {
	for i := range in.Shared {
		c.replica.restore(&in.Shared[i])
	}
	c.shared.raise(MomentAt(in.Floor.Time()), c.cluster.moment())
	if e := c.shared.find(SpaceMember, c.cfg.ID); e != nil {
		if c.cfg.Rejoin && e.Removes(c.cluster.moment()) {
			c.replica.readmit(c.cfg.ID, c.born) // it is on the own disk, so it is older than this life whatever the clock shows
		} else {
			c.enforce(e)
		}
		if c.closed {
			return
		}
	}
	var addrs []string
	for _, m := range in.Members {
		d := RecordDelta{Node: HashID(m.ID), ID: m.ID, Generation: m.Generation, To: 1,
			Entries: []Entry{{Version: 1, Kind: KindMeta, Key: MetaAddr, Value: m.Addr}}}
		if d.Node == c.self.node || c.turnsAway(&d) != "" {
			continue
		}
		if ch, out := c.store.apply(&d); out == applied {
			ch.slot.seen = cmp.Or(m.Seen, in.Contact, c.cluster.moment())
			addrs = append(addrs, m.Addr)
		}
	}
	c.aging.restore(in.Contact, in.Since)
	c.aging.checkAge(c.cluster.own())
	c.stale = true
	c.dials.remember(addrs, c.now())
}

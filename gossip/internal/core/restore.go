package core

import (
	"cmp"
	"time"
)

// restore takes over what a shell kept of an earlier life. Members come back as the first version of their records, which is their
// address, and are called at once. Of the shared map every entry that is well formed is taken: it was judged when it was accepted,
// and a clock that is behind now must not make it vanish. A node that kept the entry that removes itself, since it died before it
// could put its state aside, obeys it now: those who turn it away have nothing newer to send.
func (c *Core) restore(in Restore) {
	for i := range in.Shared {
		c.restoreShared(&in.Shared[i])
	}
	c.shared.raise(MomentAt(in.Floor.Time()), c.clusterTime())
	if e := c.shared.find(SpaceMember, c.cfg.ID); e != nil {
		if c.cfg.Rejoin && e.Removes(c.clusterTime()) {
			c.readmit(c.cfg.ID, c.born) // it is on the own disk, so it is older than this life whatever the clock shows
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
			ch.slot.seen = cmp.Or(m.Seen, in.Contact, c.clusterTime())
			addrs = append(addrs, m.Addr)
		}
	}
	c.aging.restore(in.Contact, in.Since)
	c.checkAge(c.ownTime())
	c.stale = true
	c.dials.remember(addrs, c.now())
}

// restoreShared takes one entry from the own disk.
func (c *Core) restoreShared(e *SharedEntry) {
	if !e.wellFormed() {
		c.emit(Rejected{Reason: reasonFormat})
		return
	}
	e = clone(e)
	if !c.shared.put(e) {
		return
	}
	c.shared.clock.see(e.Stamp, c.future())
	if c.isAhead(e.id(), e.Stamp, 0) {
		c.held.add(e)
	}
	c.emit(RememberShared{Entry: e, Restored: true})
}

// remember has an entry of the shared map kept.
func (c *Core) remember(e *SharedEntry) { c.emit(RememberShared{Entry: e}) }

// report has a shell keep what became of entries.
func (c *Core) report(changed []ended) {
	for _, x := range changed {
		c.stale = c.stale || x.gone
		if x.gone {
			c.emit(ForgetShared{Space: x.entry.Space, Key: x.entry.Key})
		} else {
			c.remember(x.entry)
		}
	}
}

// collectMost bounds the keys of the shared map that one step ends: the rest follows in the next step, at once, and what came in
// between goes first.
const collectMost = 1024

// collectDue ends the values and drops the tombstones of the shared map whose time has come.
func (c *Core) collectDue() {
	c.report(c.shared.collect(c.clusterTime(), c.aging.aged, collectMost))
}

// collectAt is the running time at which collectDue has something to do, 0 if there is none.
func (c *Core) collectAt() time.Duration {
	at := c.shared.next(c.aging.aged)
	if at == 0 {
		return 0
	}
	return max(1, c.now()+max(0, at.Sub(c.clusterTime())))
}

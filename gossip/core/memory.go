package core

// restore takes over what a shell kept of an earlier life. Members come back as the first version of their records, which is their
// address, and are called at once. A node that kept the word of its own removal, since it died before it could put its state aside,
// hears it now: those who turn it away have nothing newer to tell.
func (c *Core) restore(in Restore) {
	for i := range in.Shared {
		e := clone(&in.Shared[i])
		if c.refuses(e) == "" {
			c.shared.clock.see(e.Stamp)
			c.shared.put(e)
		}
	}
	if e := c.shared.find(SpaceMember, c.cfg.ID); e != nil {
		c.enforce(e)
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
			c.sawMember(ch.slot, m.Seen)
			addrs = append(addrs, m.Addr)
		}
	}
	c.stale = true
	c.dials.remember(addrs, c.now())
}

// remember has an entry of the shared map kept.
func (c *Core) remember(e *SharedEntry) { c.emit(RememberShared{Entry: e}) }

// collectDue drops what of the shared map has had its time.
func (c *Core) collectDue() {
	m := &c.shared
	now := c.clusterTime()
	if now.Before(m.collectAt) {
		return
	}
	m.collectAt = now.Add(c.cfg.Heartbeat * 60)
	for _, e := range m.collect(now, c.cfg.Horizon) {
		c.stale = true
		if m.entries[e.id()] == nil {
			c.emit(ForgetShared{Space: e.Space, Key: e.Key})
		} else {
			c.emit(RememberShared{Entry: m.entries[e.id()]})
		}
	}
}

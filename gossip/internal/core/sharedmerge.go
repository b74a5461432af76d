package core

// clone keeps an entry alive without the frame it came in.
func clone(e *SharedEntry) *SharedEntry { own := *e; return &own }

// onSharedDelta takes what a neighbour pushed or answered.
func (c *Core) onSharedDelta(l *link, d *SharedDelta) {
	c.hearTime(l, d.Clock)
	for i := range d.Entries {
		e := &d.Entries[i]
		if why := c.refuses(e); why != "" {
			c.emit(Rejected{Link: l.id, Reason: why})
			continue
		}
		if c.past(e) {
			continue // we have dropped it, and so will the neighbour
		}
		// Of a peer that is not settled yet nothing is taken that this node may have deleted and forgotten; the link ends instead.
		if c.fromUnsettled(l, e) {
			c.endUnsettled(l)
			return
		}
		fresh := c.merge(l, clone(e))
		c.observe(l, e, fresh)
		if c.closed {
			return
		}
		if !fresh {
			c.correctRemoval(l, e)
		}
	}
	if d.Last && l.drainUntil == 0 {
		c.sharedMaps.onLast(l)
	}
}

// merge takes one entry of a neighbour, and reports whether it is new here.
func (c *Core) merge(l *link, e *SharedEntry) bool {
	// Every stamp that is taken moves the own clock, so that a write of this node after it has a higher one (hybrid logical clock).
	c.shared.clock.see(e.Stamp, c.future())
	had := c.stampOf(e.id())
	if !c.shared.put(e) {
		c.sharedFlood.markHas(e.version(), l.id)
		return false
	}
	l.shared.gained(c.now())
	c.sharedFlood.fresh = c.now()
	c.spread(e, had, l.id)
	// It has replaced a value and was itself dropped at once, as a tombstone that has had its time.
	if c.shared.byID(e.id()) == nil {
		c.report([]ended{{e, true}})
		return true
	}
	c.remember(e)
	c.enforce(e)
	return true
}

// correctRemoval answers an entry about a member that is older than the one here: a peer that rejects this node, or the member, by an entry
// that was replaced compares no hashes, so it would never get the newer one.
func (c *Core) correctRemoval(l *link, e *SharedEntry) {
	if e.Space != SpaceMember {
		return
	}
	if own := c.shared.find(SpaceMember, e.Key); own != nil && own.newer(e) {
		c.sendShared(l, []SharedEntry{*own})
	}
}

// past reports whether an entry is a tombstone that has had its time, or a value that would be one. A node that is aged takes it all
// the same: it may be the last one.
func (c *Core) past(e *SharedEntry) bool {
	now := c.clusterTime()
	return !c.aging.aged && !e.live(now) && now.Sub(e.death()) > c.cfg.Horizon
}

const (
	reasonFormat = "shared entry breaks the format"
	reasonFull   = "shared map too large"
)

// refuses returns why an entry of another node is not taken, "" if it is.
func (c *Core) refuses(e *SharedEntry) string {
	switch {
	case !e.wellFormed():
		return reasonFormat
	case c.isAhead(e.id(), e.Stamp, c.stampOf(e.id())):
		return ReasonClockAhead
	case !c.shared.hasRoom(e):
		return reasonFull
	}
	return ""
}

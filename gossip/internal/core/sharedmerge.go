package core

// clone keeps an entry alive without the frame it came in.
func clone(e *SharedEntry) *SharedEntry { own := *e; return &own }

// onSharedDelta takes what a neighbour pushed or answered.
func (c *Core) onSharedDelta(l *link, d *SharedDelta) {
	c.cluster.hear(l, d.Clock)
	for i := range d.Entries {
		e := &d.Entries[i]
		if why := c.replica.refuses(e); why != "" {
			c.emit(Rejected{Link: l.id, Reason: why})
			continue
		}
		if c.replica.past(e) {
			continue // we have dropped it, and so will the neighbour
		}
		// Of a peer that is not settled yet nothing is taken that this node may have deleted and forgotten; the link ends instead.
		if c.aging.fromUnsettled(l, e) {
			c.aging.endUnsettled(l)
			return
		}
		fresh := c.replica.merge(l, clone(e))
		c.sharedFlood.observe(l, e, fresh)
		if c.closed {
			return
		}
		if !fresh {
			c.replica.correctRemoval(l, e)
		}
	}
	if d.Last && l.drainUntil == 0 {
		c.sharedMaps.onLast(l)
	}
}

// merge takes one entry of a neighbour, and reports whether it is new here.
func (r *replica) merge(l *link, e *SharedEntry) bool {
	// Every stamp that is taken moves the own clock, so that a write of this node after it has a higher one (hybrid logical clock).
	r.shared.clock.see(e.Stamp, r.cluster.future())
	had := r.shared.stampOf(e.id())
	if !r.shared.put(e) {
		r.sharedFlood.markHas(e.version(), l.id)
		return false
	}
	l.shared.gained(r.now())
	r.sharedFlood.fresh = r.now()
	r.sharedFlood.spread(e, had, l.id)
	// It has replaced a value and was itself dropped at once, as a tombstone that has had its time.
	if r.shared.byID(e.id()) == nil {
		r.report([]ended{{e, true}})
		return true
	}
	r.emit(RememberShared{Entry: e, Arrived: true, Age: r.cluster.moment().Time().Sub(e.Stamp.Time())})
	r.enforce(e)
	return true
}

// correctRemoval answers an entry about a member that is older than the one here: a peer that rejects this node, or the member, by an entry
// that was replaced compares no hashes, so it would never get the newer one.
func (r *replica) correctRemoval(l *link, e *SharedEntry) {
	if e.Space != SpaceMember {
		return
	}
	if own := r.shared.find(SpaceMember, e.Key); own != nil && own.newer(e) {
		r.sharedFlood.sendWrites(l, []SharedEntry{*own})
	}
}

// past reports whether an entry is a tombstone that has had its time, or a value that would be one. A node that is aged takes it all
// the same: it may be the last one.
func (r *replica) past(e *SharedEntry) bool {
	now := r.cluster.moment()
	return !r.aging.aged && !e.live(now) && now.Sub(e.death()) > r.cfg.Horizon
}

const (
	reasonFormat = "shared entry breaks the format"
	reasonFull   = "shared map too large"
)

// refuses returns why an entry of another node is not taken, "" if it is.
func (r *replica) refuses(e *SharedEntry) string {
	switch {
	case !e.wellFormed():
		return reasonFormat
	case r.cluster.isAhead(e.id(), e.Stamp, r.shared.stampOf(e.id())):
		return ReasonClockAhead
	case !r.shared.hasRoom(e):
		return reasonFull
	}
	return ""
}

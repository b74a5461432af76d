package core

// onDelta takes what a neighbour pushed or answered.
func (c *Core) onDelta(l *link, d *Delta) {
	var gaps []claim
	news := 0
	for i := range d.Records {
		r := &d.Records[i]
		// Only this node writes its own record: what comes of it is from an earlier life, or from another process with its name.
		if r.Node == c.self.node {
			c.hearSelf(r.Generation, r.To, r.Seen != 0, r.addr())
			if c.closed {
				return
			}
			continue
		}
		switch c.takeRecord(l, r) {
		case applied:
			news++
		case gap:
			gaps = append(gaps, claim{id: uint64(r.Node), hi: r.Generation, lo: r.To})
		}
	}
	if news > 0 {
		l.records.gained(c.now())
	}
	c.records.fillGaps(l, gaps)
	if d.Last {
		c.records.onLast(l)
	}
	// An answer that brought something shows that the tree did not reach one of the two, so the link joins it. A push of many records of
	// which most were known shows that another link of the tree brings them first, so the link leaves it.
	if d.Last && news > 0 { // it did not come along the tree
		c.links.setEager(l, true)
	}
	if l.eager && len(d.Records) > bulk && 2*news < len(d.Records) && c.links.mayPrune() {
		c.links.setEager(l, false)
	}
}

// takeRecord merges one delta that came over a link, and draws the consequences.
func (c *Core) takeRecord(l *link, r *RecordDelta) outcome {
	if why := c.turnsAway(r); why != "" {
		if why != quietly {
			c.emit(Rejected{Link: l.id, Reason: why})
		}
		return old
	}
	ch, out := c.store.apply(r)
	switch out {
	case applied:
		if ch.fresh {
			c.onNewLife(ch.slot, l)
		}
		c.flood.fresh = c.now()
		c.forgetting.saw(ch.slot, r.Seen)
		c.learn(ch, l, r.Urgent)
	// Equal versions are equal contents, so the peer need not be sent this record. Of an older version it is not known what the peer has since.
	case old:
		if ch.slot.rec.generation == r.Generation && ch.slot.rec.version == r.To {
			c.flood.markHas(ch.slot, l.id)
			had := ch.slot.gone
			if c.forgetting.saw(ch.slot, r.Seen); ch.slot.gone != had {
				l.records.gained(c.now())
			}
		}
	case broken:
		c.emit(Rejected{Link: l.id, Reason: "delta breaks the format"})
	case over:
		c.emit(Rejected{Link: l.id, Reason: ch.why})
	}
	return out
}

// onNewLife takes note of the first record of a life that came over a link: the peer took a higher generation, or a link to it waits for
// the record to be published.
func (c *Core) onNewLife(t *slot, from *link) {
	l := c.links.byPeer[t]
	if l == nil {
		return
	}
	if l == from {
		l.generation = max(l.generation, t.rec.generation)
	}
	if l.offered && !c.self.publishes(t) {
		c.links.publishNow()
	}
}

// learn draws the consequences of a change heard from a link. A relayed change is urgent if its writer marked it so, and if it
// speaks of a member that cannot be reached from here: it may be the link that brings it back.
func (c *Core) learn(ch change, l *link, urgent bool) {
	t := ch.slot
	if ch.fresh {
		c.forgetting.keep(t)
	}
	relayed := urgent
	// Programs wait for what is urgent: a new member, an own key, a leave, a link to a member that cannot be reached from here.
	urgent = urgent || ch.fresh || !t.isReached()
	lost := ch.prev == 0
	for i := range ch.delta.Entries {
		e := &ch.delta.Entries[i]
		urgent = urgent || e.Kind == KindUser || e.Key == MetaLeft
	}
	for _, e := range ch.delta.Links {
		p := c.store.byNode[e.Node]
		if e.Deleted() {
			lost = true
		} else if p != nil && !p.isReached() {
			urgent = true
		}
	}
	it := c.flood.mark(t, ch.prev, l.id, urgent)
	it.relayed = it.relayed || relayed
	c.judge.relink(t, lost)
}

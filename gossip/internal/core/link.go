package core

import (
	"slices"
	"time"
)

// link is one stream to a neighbour, at most one per neighbour.
type link struct {
	id         LinkID
	name       string // of the peer
	peer       *slot
	from       *target // whose dial brought it; nil: the peer's, or once it has lived for a while
	generation uint64
	ours       bool // we dialled
	since      time.Duration
	beatAt     time.Duration // when the last heartbeat was sent
	lag        time.Duration // of the peer, by its last heartbeat
	clockIn    int           // heartbeats until the next one that carries our clock
	detector   detector

	wanted    bool // it is on one of our rings
	peerWants bool
	idleSince time.Duration // when both ceased to want it; 0: not so
	eager     bool          // this node takes bulk over it
	takes     bool          // the peer does
	need      int           // heartbeats to receive before it is published; one shows that the peer uses it, too
	good      int           // heartbeats received
	offered   bool          // its publication was asked for

	drainUntil time.Duration // the peer was removed: until then it may send what it has not sent yet; 0: it was not

	clock heardClock

	records, shared exchange      // comparison of the two tables with the peer's
	exchanged       bool          // Exchanged was reported
	unsettled       bool          // its peer was not settled when it began, see aging
	younger         bool          // the history of its peer's cluster began after this node was last in touch with its own, see aging
	lazy            bool          // writes of the shared map are announced over it, see sharedFlood
	grafted         time.Duration // when it became eager for a write that was lost; 0: never
	circle          bool          // the root's last write came over it when it was here already
}

// ready reports whether the link may be published: it has passed its hysteresis, or the peer cannot be reached without it. A
// member's only links are never withheld, however often they broke.
func (l *link) ready() bool {
	return l.good >= l.need || l.good > 0 && !l.peer.isReached()
}

// awaitsRecord reports whether the record of the peer here is still that of an earlier life. The link is not published before the
// present one has come: the links of the earlier life would make members rise that are long gone.
func (l *link) awaitsRecord() bool { return l.peer.rec != nil && l.peer.rec.generation < l.generation }

// linkUp takes a stream into use, or turns it down.
//
// The order of the checks matters. What rejects a stream whatever this node holds comes first, then a removal, which must take no place
// in a full table; room comes before dialled, which needs a place for the peer; and a link to the same peer is compared last, when it is
// certain that the new stream could replace it.
func (c *Core) linkUp(in LinkUp) {
	node := HashID(in.ID)
	if c.cluster.beyondClocks(in.Generation) {
		c.emit(Rejected{Link: in.Link, Reason: "generation is far beyond all clocks"})
		c.emit(Close{Link: in.Link})
		c.dials.failed(DialFailed{Attempt: in.Attempt})
		return
	}
	if e := c.shared.find(SpaceMember, in.ID); e.Removes(c.cluster.moment()) { // first: it must not take the place of a member
		if !in.Rejoin || !e.Stamp.Time().Before(time.UnixMilli(int64(in.Generation))) {
			c.rejectRemoved(in, e)
			return
		}
		c.replica.readmit(in.ID, stampAt(Moment(in.Generation)))
	}
	if !c.hasRoom(node, in.Generation) {
		c.emit(Rejected{Link: in.Link, Reason: ReasonFull})
		c.emit(Send{Link: in.Link, Frame: &Bye{Reason: ByeFull}})
		c.emit(Close{Link: in.Link, Graceful: true})
		c.dials.failed(DialFailed{Attempt: in.Attempt})
		return
	}
	t, from := c.dials.dialled(in, node)
	if node == c.self.node {
		c.emit(Close{Link: in.Link})
		if in.Generation != c.self.rec.generation {
			c.hearSelf(in.Generation, 0, false, in.Addr)
		}
		return
	}
	if t.addr == "" {
		t.addr = in.Addr
		c.store.touch(t)
	}
	if !c.admit(in, t) {
		if from != nil && in.Dialled && from.slot == t { // the peer lives: the next dial need not wait
			from.backoff, from.next = 0, c.now()
		}
		c.turnDown(in, t)
		return
	}
	if t.rec != nil && in.Generation > t.rec.generation {
		t.target().flaps = flaps{} // a new process; the flaps of the old one's links do not count against it
	}
	now := c.now()
	l := &link{id: in.Link, name: in.ID, peer: t, from: from, generation: in.Generation, ours: in.Dialled, since: now,
		detector: newDetector(now, c.cfg.Heartbeat), need: max(1, t.target().flaps.need), wanted: true, peerWants: true,
		eager: !t.up, takes: !t.up, clockIn: clockEvery - 1}
	l.records.sameAt, l.shared.sameAt = now, now
	l.records.same, l.shared.same = true, true
	l.hearClock(in.Clock, now)
	if t.rec != nil && in.Generation < t.rec.generation {
		c.send(l, c.newerLife(t)) // first of all: whether that life is up shows before this link can make it rise
	}
	c.links.add(l)
	c.aging.meet(l, in.Aged, in.Since)
	if c.store.known == 1 {
		c.flood.sendRecords(l, c.self.fullDelta())
	}
	c.links.beat(l)
	c.ring.soon(false)
}

// turnDown closes a new stream; an older process of a name in use hears of the newer one first. For a peer that was dialled the stream was
// a probe: it takes none into use before the first frame.
func (c *Core) turnDown(in LinkUp, t *slot) {
	conflict := t.rec != nil && in.Generation < t.rec.generation
	if in.Dialled && !conflict {
		c.emit(Close{Link: in.Link})
		return
	}
	bye := &Bye{Reason: ByeCrossed}
	if conflict {
		bye.Reason = ByeConflict
		c.emit(Send{Link: in.Link, Frame: c.newerLife(t)})
	}
	c.emit(Send{Link: in.Link, Frame: bye})
	c.emit(Close{Link: in.Link, Graceful: true})
}

// newerLife returns a frame that shows a process of a name that a later life of that name is known, whether that is up, and where.
func (c *Core) newerLife(t *slot) *Delta {
	newer := t.since(0, 0).split()[0]
	newer.Seen = c.judge.seenOf(t)
	return &Delta{Records: []RecordDelta{newer}}
}

// admit decides whether a new stream takes the place of a link to the same life of a peer.
//
// One that this node dialled does not: the dial began before the link, or led to another address of the peer, and took long, as when its
// first packet was lost. The link works, as far as this node can see, and closing it would cost the peer its link until the first frame of
// the new one arrives. If the link is overdue it does, see dialStandby. One that the peer dialled does: a peer dials only when it has no
// link, or one that is overdue, so it lost what we still hold. But when both dialled at once, both streams have a node that uses them,
// and that of the lower ID stays.
func (c *Core) admit(in LinkUp, t *slot) bool {
	l := c.links.byPeer[t]
	if l == nil {
		return true
	}
	crossed := l.ours && c.now()-in.Opened-l.since < c.cfg.DialTimeout
	switch {
	case in.Generation > l.generation:
	case in.Generation < l.generation, in.Dialled && !c.isOverdue(l), !in.Dialled && crossed && c.self.node < t.node:
		return false
	}
	c.links.drop(l)
	if in.Dialled { // the peer is to wait for the new stream: its first packet may be lost, and come after the end of this one
		c.send(l, &Bye{Reason: ByeCrossed})
	}
	c.emit(Close{Link: l.id, Graceful: in.Dialled})
	return true
}

// linkReady has a link published: at once if the peer may hang on this link; else when there is company.
func (c *Core) linkReady(l *link) {
	l.offered = true
	if !l.peer.isReached() || c.judge.held != 0 {
		c.links.publishNow()
		return
	}
	c.links.publishSoon(2 * c.cfg.Relax)
}

// linkDown notes the end of a stream that neither side announced. The redial precedes the verdict: a link stays published
// until we know whether the peer can be dialled, since a proxy that resets all streams kills no process.
func (c *Core) linkDown(id LinkID) {
	l := c.links.byID[id]
	if l == nil {
		return
	}
	c.links.drop(l)
	if l.drainUntil != 0 {
		return
	}
	call := c.dials.target(l.peer)
	call.lost = c.self.publishes(l.peer)
	c.dials.redialSoon(l, call)
	c.ring.soon(true)
}

// bye notes that the peer closes a link on purpose.
func (c *Core) bye(l *link, why ByeReason) {
	c.links.drop(l)
	c.emit(Close{Link: l.id})
	switch why {
	case ByeCrossed: // the other stream is on its way to us, or here
		call := c.dials.target(l.peer)
		call.lost, call.next = c.self.publishes(l.peer), c.now()+c.cfg.DialTimeout
		soonest(&c.dials.dueAt, call.next)
	case ByeUnwanted:
		c.links.publishSoon(0)
	default: // it is gone, and we may have hung on it
		c.links.publishNow()
		c.ring.soon(true)
		return
	}
	c.ring.soon(false)
}

// tendLinks closes silent links, sends heartbeats, and closes links that neither end has wanted for a while.
func (c *Core) tendLinks() {
	now := c.now()
	if now < c.links.tendAt {
		return
	}
	c.links.tendAt = now + c.cfg.Heartbeat/4
	c.links.thin = c.links.isThin(c.fullLinks())
	for _, l := range slices.Clone(c.links.list) {
		switch {
		case now-l.detector.heard > c.load.silence(l, l.detector.silence(c.cfg.Silence), c.cfg.Silence):
			c.endSilent(l)
		case c.unwanted(l):
			c.send(l, &Bye{Reason: ByeUnwanted})
			c.emit(Close{Link: l.id, Graceful: true})
			c.links.drop(l)
			c.links.publishSoon(0)
		default:
			c.tend(l)
		}
	}
	c.links.graft()
	c.judge.endDoubts()
	c.load.fade(now, c.cfg.Heartbeat)
	c.links.endDraining()
	c.own.sweep()
}

// tend sends the heartbeat of a link when it is due, whatever else was sent: hashes, clocks, hysteresis and staleness live on
// heartbeats, and must not wait for the traffic to pause.
func (c *Core) tend(l *link) {
	if c.now()-l.beatAt >= c.cfg.Heartbeat {
		c.links.beat(l)
	}
	if l.ready() && !l.offered {
		c.linkReady(l)
	}
	c.dialStandby(l)
	if l.from != nil && c.now()-l.since >= livedFor*c.cfg.Heartbeat {
		l.from.backoff, l.from = 0, nil
	}
	c.records.tend(l)
	c.sharedMaps.tend(l)
	c.links.reportExchanged(l)
}

// unwanted reports whether neither end has wanted a link for five heartbeats, and it is not so new that minds may change. While a
// verdict is held back the rings are those of before, and the link may be one that the survivors hang on; so it may while one of its ends
// has lost most of its links, or those that its rings want are not published yet: the heartbeats of the peer tell.
func (c *Core) unwanted(l *link) bool {
	now := c.now()
	if c.links.wants(l) || l.peerWants || c.judge.held != 0 || c.isDegraded(c.self) || c.isDegraded(l.peer) {
		l.idleSince = 0
		return false
	}
	if l.idleSince == 0 {
		l.idleSince = now
	}
	patience := 5 * c.cfg.Heartbeat
	if strain := c.links.strain(); strain > 0 { // the links that take its place are not published yet
		patience += 2*strainedGap*c.cfg.Relax + 4*strain
	}
	return now-l.idleSince > patience && now-l.since > patience
}

// publishDue writes the links that came and went into our record.
func (c *Core) publishDue() {
	ls := &c.links
	if ls.publishAt == 0 || c.now() < ls.publishAt {
		return
	}
	urgent := ls.urgent
	ls.publishAt, ls.urgent, ls.published = 0, false, c.now()
	prev, lost := c.self.rec.version, false
	for _, own := range slices.Clone(c.self.rec.links) {
		t := c.store.byNode[own.Node]
		if own.Deleted() || t != nil && (ls.byPeer[t] != nil || t.call != nil && t.call.lost) {
			continue // taken back already, held, or lost with a redial that decides: see linkDown
		}
		lost = true
		c.store.writeLink(c.self, own.Node, true)
		if urgent && t != nil {
			t.target().flaps.broke(c.now())
		}
	}
	for _, l := range ls.list {
		if l.ready() && !l.awaitsRecord() && !c.self.publishes(l.peer) {
			// It may be the link by which the peer, and all behind it, can be reached.
			urgent = urgent || !l.peer.isReached()
			c.store.writeLink(c.self, l.peer.node, false)
		}
	}
	if c.self.rec.version != prev {
		c.flood.wrote(prev, urgent)
		c.judge.relink(c.self, lost)
	}
}

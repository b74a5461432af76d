package core

// A stream that loses a packet several times in a row holds up all that follows, for longer each time (TCP doubles the time after which
// it sends again), while a new stream begins with the shortest time. Most members have other links and lose nothing when one is closed
// for its silence. A member with one link loses its place in the cluster. The peer of such a link is therefore dialled before the silence is long enough for a
// verdict, and the new stream takes the place of the link if that is still silent then.

// isOverdue reports whether nothing has come over a link for one and a half heartbeats.
func (c *Core) isOverdue(l *link) bool { return c.now()-l.detector.heard > c.cfg.Heartbeat*3/2 }

// isOnly reports whether this node or the peer has no other link that both ends publish.
func (c *Core) isOnly(l *link) bool { return len(c.self.peers) <= 1 || len(l.peer.peers) <= 1 }

// dialStandby dials the peer of an only link that is overdue, unless one of the two is behind: then frames wait there, and not on the way.
func (c *Core) dialStandby(l *link) {
	if c.isOverdue(l) && c.isOnly(l) && c.links.strain() == 0 && c.now()-l.since >= livedFor*c.cfg.Heartbeat {
		c.dials.dial(l.peer.target(), l.peer.addr)
	}
}

// endSilent closes a link for its silence. While a dial to the peer of an only link is under way, that decides whether it stays published.
func (c *Core) endSilent(l *link) {
	call := c.dials.target(l.peer)
	awaits := call.attempt != 0 && c.isOnly(l) && c.self.publishes(l.peer)
	c.links.drop(l)
	c.emit(Close{Link: l.id})
	c.dials.redialSoon(l, call)
	if call.lost = awaits; !awaits {
		c.links.publishNow()
	}
	c.ring.soon(true)
}

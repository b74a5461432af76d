package core

import "time"

// received takes a frame from a neighbour.
func (c *Core) received(in Received) {
	l := c.links.byID[in.Link]
	// A frame of a link that was closed here may still be in the shell's queue: it is older than the close, and without a meaning.
	if l == nil {
		return
	}
	c.load.recordDelay(in.Waited, c.now())
	// Any frame shows that the peer lives, also one that is refused below: what it holds is judged apart from that.
	l.detector.hear(c.now(), c.cfg.Heartbeat)
	if l.drainUntil != 0 {
		c.drain(l, in.Frame)
		return
	}
	c.handleFrame(l, in.Frame)
	// The frame may have closed the link, or put another one in its place.
	if c.links.byID[l.id] == l {
		c.links.reportExchanged(l)
	}
}

// handleFrame does what a frame asks for.
func (c *Core) handleFrame(l *link, f Frame) {
	switch f := f.(type) {
	case *Beat:
		c.onBeat(l, f)
	case *Delta:
		c.onDelta(l, f)
	case *Buckets:
		c.records.onBuckets(l, &f.Hashes)
	case *Digest:
		c.onDigest(l, f)
	case *SharedBuckets:
		c.aging.hearFloor(l, f.Floor)
		c.sharedMaps.onBuckets(l, &f.Hashes)
	case *SharedDigest:
		c.onSharedDigest(l, f)
	case *SharedDelta:
		c.onSharedDelta(l, f)
	case *SharedAnnounce:
		c.sharedFlood.onAnnounce(l, f)
	case *Lazy:
		c.sharedFlood.onLazy(l, f)
	case *Bye:
		c.bye(l, f.Reason)
	default: // a frame of the handshake in the middle of a stream, or of a later protocol: no harm in it
		c.emit(Rejected{Link: l.id, Reason: "unexpected frame"})
	}
}

// onBeat takes a heartbeat: the flags of the link, the clock of the peer, and what its hashes show.
func (c *Core) onBeat(l *link, b *Beat) {
	first := l.good == 0
	// The peer decides whether it wants the link and takes bulk over it; this node decides the same of its own end. Neither is negotiated.
	l.peerWants, l.takes = b.Wanted, b.Eager
	l.lag = min(time.Duration(b.Lag)*time.Millisecond, lagCap)
	c.cluster.hear(l, b.Clock)
	if l.good++; l.ready() && !l.offered {
		c.linkReady(l)
	}
	if b.Hash == c.store.hash {
		c.agreed = true // the peer has our record
	}
	lower := c.self.node < l.peer.node
	known, peers := c.store.known, int(b.Known)
	// Of two that know as many, the lower ID begins. The own record of the peer may be one more here: the peer sent it before the heartbeat,
	// and did not count ours, which was on its way.
	c.records.onHash(l, b.Hash, first, known < peers || !l.peer.up && known <= peers+1 && lower)
	c.sharedMaps.onHash(l, b.Shared, first, lower)
}

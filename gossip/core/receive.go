package core

// received takes a frame from a neighbour.
func (c *Core) received(in Received) {
	l := c.links.byID[in.Link]
	if l == nil {
		return
	}
	l.detector.hear(c.now(), c.cfg.Heartbeat)
	if l.lastWords != 0 {
		c.hearLastWords(l, in.Frame)
		return
	}
	switch f := in.Frame.(type) {
	case *Beat:
		c.onBeat(l, f)
	case *Delta:
		c.onDelta(l, f)
	case *Buckets:
		c.onBuckets(l, f)
	case *Digest:
		c.onDigest(l, f)
	case *SharedBuckets:
		c.onSharedBuckets(l, f)
	case *SharedDigest:
		c.onSharedDigest(l, f)
	case *SharedDelta:
		c.onSharedDelta(l, f)
	case *SharedAnnounce:
		c.onAnnounce(l, f)
	case *Lazy:
		c.onLazy(l, f)
	case *Bye:
		c.bye(l, f.Reason)
	default: // a frame of the handshake in the middle of a stream, or of a later protocol: no harm in it
		c.emit(Rejected{Link: l.id, Reason: "unexpected frame"})
	}
}

package core

import (
	"slices"
)

// fullDelta is the whole own record.
func (t *slot) fullDelta() []RecordDelta { return t.since(0, 0).split() }

// leave sends a Bye over all links and closes them; the record has it for the nodes that were not linked to us.
func (c *Core) leave() {
	prev := c.self.rec.version
	c.store.write(c.self, Entry{Kind: KindMeta, Key: MetaLeft})
	c.flood.wrote(prev, true)
	c.flood.push(c.flood.take(true), false)
	c.sharedFlood.pushAll()
	c.closeAll(ByeLeft)
}

// closeAll ends all links with a reason, those of removed peers too. The core does nothing after it; see host.closed.
func (c *Core) closeAll(why ByeReason) {
	for _, l := range append(slices.Clone(c.links.list), c.links.removed...) {
		c.send(l, &Bye{Reason: why})
		c.emit(Close{Link: l.id, Graceful: true})
	}
	c.links.clear()
	c.closed, c.stale = true, true
}

// maxRaised bounds how often a node takes a higher generation, so that two of one name cannot outbid each other for ever.
const maxRaised = 3

// hearSelf deals with news of our own record that we did not write. If the life that it is of is gone, or the cluster did not agree
// with us yet, it is our past: a restart with a clock that went back, or without a disk; we take a generation above it. A life that is
// up elsewhere, with a higher generation than the one that the cluster agreed with, is another process with our name that started
// later; it stays and we go, as the newer one is the one that was just started. With Config.Yields we go for any life that is up, until
// the cluster agrees with us. addr is where that life can be dialled, "" if that is not known.
func (c *Core) hearSelf(generation, version uint64, gone bool, addr string) {
	r := c.self.rec
	if c.cluster.beyondClocks(generation) || generation < r.generation || generation == r.generation && version <= r.version {
		return
	}
	if !gone {
		if c.agreed && generation > r.generation || c.cfg.Yields && !c.agreed || c.raised >= maxRaised {
			c.emit(Conflict{Generation: generation, Addr: addr})
			c.closeAll(ByeConflict)
			return
		}
		c.raised++
	}
	c.own.renew(generation)
}

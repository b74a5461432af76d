package core

import "time"

// equalAt returns when a table was last known to be equal to that of a peer: now, if the last comparison showed no difference.
func (c *Core) equalAt(x *exchange) time.Duration {
	if x.same {
		return c.now()
	}
	return x.sameAt
}

// Staleness returns for how long some neighbour has had another state than this node, by the last comparison with each, not counting
// changes that may be on their way (Config.transit): 0 while all is well, under any load. It is 0 without neighbours.
func (c *Core) Staleness() time.Duration {
	oldest := c.now()
	for _, l := range c.links.list {
		oldest = min(oldest, c.equalAt(&l.records), c.equalAt(&l.shared))
	}
	if late := c.now() - oldest; late > c.cfg.transit() {
		return late
	}
	return 0
}

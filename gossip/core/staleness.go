package core

import "time"

// Staleness returns for how long some neighbour has had another state than this node, not counting changes of the last two seconds
// that are on their way: about 0 while all is well, under any load. It is 0 without neighbours.
func (c *Core) Staleness() time.Duration {
	oldest := c.now()
	for _, l := range c.links.list {
		oldest = min(oldest, l.records.sameAt, l.shared.sameAt)
	}
	if late := c.now() - oldest; late > 2*c.cfg.Heartbeat {
		return late
	}
	return 0
}

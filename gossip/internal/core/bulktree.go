package core

import "slices"

// bulkLinks returns the links over which bulk leaves: those over which the peer takes it, or this node does, so that changes travel
// up the tree too; or one at least.
func (c *Core) bulkLinks() []*link {
	all := c.links.list
	taking := slices.DeleteFunc(slices.Clone(all), func(l *link) bool { return !l.takes && !l.eager })
	if len(taking) == 0 {
		return all[:min(1, len(all))]
	}
	return taking
}

// graft makes this node take bulk over a link if there is none over which it does, and over a second one if it is behind, see mayPrune.
func (c *Core) graft() {
	want := 1
	if c.load.lag > 0 {
		want = 2
	}
	want -= c.eagerLinks()
	for _, l := range c.links.list {
		if want > 0 && !l.eager {
			c.setEager(l, true)
			want--
		}
	}
}

// eagerLinks returns the number of links over which this node takes bulk.
func (c *Core) eagerLinks() (n int) {
	for _, l := range c.links.list {
		if l.eager {
			n++
		}
	}
	return n
}

// mayPrune reports whether a link that brings what is known may leave the tree. Nodes that are behind see the same changes in many
// orders, prune all their links in turn and fall apart into a forest, and repair costs more than a copy: they keep some.
func (c *Core) mayPrune() bool {
	keep := 1
	if c.load.lag > 0 {
		keep = 2
	}
	return c.eagerLinks() > keep
}

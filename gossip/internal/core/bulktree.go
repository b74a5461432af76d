package core

import "slices"

// forBulk returns the links over which bulk leaves: those over which the peer takes it, or this node does, so that changes travel
// up the tree too; or one at least.
func (ls *links) forBulk() []*link {
	all := ls.list
	taking := slices.DeleteFunc(slices.Clone(all), func(l *link) bool { return !l.takes && !l.eager })
	if len(taking) == 0 {
		return all[:min(1, len(all))]
	}
	return taking
}

// graft makes this node take bulk over a link if there is none over which it does, and over a second one if it is behind, see mayPrune.
func (ls *links) graft() {
	want := 1
	if ls.load.lag > 0 {
		want = 2
	}
	want -= ls.countEager()
	for _, l := range ls.list {
		if want > 0 && !l.eager {
			ls.setEager(l, true)
			want--
		}
	}
}

// countEager returns the number of links over which this node takes bulk.
func (ls *links) countEager() (n int) {
	for _, l := range ls.list {
		if l.eager {
			n++
		}
	}
	return n
}

// mayPrune reports whether a link that brings what is known may leave the tree. Nodes that are behind see the same changes in many
// orders, prune all their links in turn and fall apart into a forest, and repair costs more than a copy: they keep some.
func (ls *links) mayPrune() bool {
	keep := 1
	if ls.load.lag > 0 {
		keep = 2
	}
	return ls.countEager() > keep
}

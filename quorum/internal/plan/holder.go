package plan

import "slices"

// appoint decides which member of each row holds the shard. A shard keeps its holder where that is possible. One without a holder goes to a
// member of its row that holds less than its share, if need be along a path on which others hand shards over. Then hand-overs
// within rows make the division by weight fairer.
func (t *table) appoint() {
	if t.copies == 1 {
		return // each row has one member or none
	}
	h := newHolding(t)
	for shard := range t.shards {
		if t.counts[shard] > 0 && t.holders[shard] == none {
			h.fill(shard)
		}
	}
	h.balance()
}

// fill gives a shard without a holder one of its members.
func (h *holding) fill(shard int) {
	h.begin()
	s, hasRoom := step{int32(shard), none}, func(m int32) bool { return h.held[m] < h.quota[m] }
	end := h.follow(s, hasRoom)
	if end == none {
		end = h.run(hasRoom)
	}
	if end == none { // no path: the member that is least above its quota
		end = slices.MinFunc(h.row(shard), func(a, b int32) int { return (h.held[a] - h.quota[a]) - (h.held[b] - h.quota[b]) })
		h.via[end] = s
	}
	h.apply(end)
}

// balance hands shards over to other members of their rows until no hand-over makes Σ held²/weight smaller, which is least for the fairest
// division. The heaviest member gives first, so that none takes what it has to give away again. Hand-overs that help only together,
// as links of a path, are not made: a leader that plans again when some of them are done would make others, and might never end.
func (h *holding) balance() {
	settled := make([]bool, h.len()) // members that found no other to hand over to since the last hand-over
	for m := h.heaviest(settled); m != none; m = h.heaviest(settled) {
		if h.relieve(m) {
			clear(settled)
		} else {
			settled[m] = true
		}
	}
}

// heaviest returns the member that gains most by giving a shard away, of those not excluded; none if all others lose as much by taking it.
func (h *holding) heaviest(excluded []bool) int32 {
	heaviest := none
	for i := range h.held {
		m := int32(i)
		if h.held[m] > 0 && !excluded[m] && (heaviest == none || h.heavier(m, -1, heaviest, -1)) {
			heaviest = m
		}
	}
	lightest := h.lightest()
	if heaviest == none || lightest == none || !h.heavier(heaviest, -1, lightest, 1) {
		return none
	}
	return heaviest
}

// lightest returns the member that loses least by taking a shard, of those that have copies which they do not hold, or none.
func (h *holding) lightest() int32 {
	lightest := none
	for i := range h.held {
		m := int32(i)
		if h.held[m] < h.loads[m] && (lightest == none || h.heavier(lightest, 1, m, 1)) {
			lightest = m
		}
	}
	return lightest
}

// heavier compares what one shard more (1) or less (-1) changes in Σ held²/weight for two members, without the sign of the change.
func (h *holding) heavier(a int32, changeA int, b int32, changeB int) bool {
	return (2*h.held[a]+changeA)*h.weights[b] > (2*h.held[b]+changeB)*h.weights[a]
}

package plan

import "slices"

// appoint decides which member of each row holds the shard. A shard keeps its holder where that is possible; shards without a holder
// and those of members that hold more than their quota go, on the shortest paths of hand-overs, to members that hold less. Rows may not
// allow an equal division; then it is as near as the paths come.
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
	for _, m := range t.members() {
		for h.held[m] > h.quota[m] && h.relieve(m) {
		}
	}
}

// holding is the assignment of holders while it is computed.
type holding struct {
	*table
	held, quota []int
	lists       [][]int32 // shards that each member holds; those that it does not hold any more are skipped when met
	via         []step    // of each visited member: the shard that it would take over, and from which member
	visited     []int32   // number of the search that visited each member last
	search      int32
	queue       []int32
}

func newHolding(t *table) *holding {
	h := &holding{
		table: t, held: make([]int, t.len()), lists: make([][]int32, t.len()),
		via: make([]step, t.len()), visited: make([]int32, t.len()),
	}
	shards := 0
	for shard, m := range t.holders {
		if t.counts[shard] > 0 {
			shards++
		}
		if m != none {
			h.held[m]++
			h.lists[m] = append(h.lists[m], int32(shard))
		}
	}
	h.quota = t.holderQuota(h.held, t.loads, shards)
	return h
}

// fill gives a shard without a holder one of its members.
func (h *holding) fill(shard int) {
	h.begin()
	end := h.follow(step{int32(shard), none})
	if end == none {
		end = h.run()
	}
	if end == none { // no path: the member that is least above its quota
		row := h.row(shard)
		end = slices.MinFunc(row, func(a, b int32) int { return (h.held[a] - h.quota[a]) - (h.held[b] - h.quota[b]) })
		h.via[end] = step{int32(shard), none}
	}
	h.apply(end)
}

// relieve hands one shard of a member over, and reports whether it could.
func (h *holding) relieve(m int32) bool {
	h.begin()
	h.visited[m] = h.search
	h.via[m] = step{none, none}
	h.queue = append(h.queue, m)
	end := h.run()
	if end == none {
		return false
	}
	h.apply(end)
	return true
}

func (h *holding) begin() {
	h.search++
	h.queue = h.queue[:0]
}

// run searches from the members in the queue for one that holds less than its quota; it returns none if none is reachable.
func (h *holding) run() int32 {
	for i := 0; i < len(h.queue); i++ {
		m := h.queue[i]
		for _, shard := range h.lists[m] {
			if h.holders[shard] != m {
				continue
			}
			if end := h.follow(step{shard, m}); end != none {
				return end
			}
		}
	}
	return none
}

// follow visits the members of a shard, and returns one that holds less than its quota: one that stood by already before a new one, and the
// one with the highest score of these.
func (h *holding) follow(s step) int32 {
	shard := int(s.shard)
	end, endKept := none, false
	for i, m := range h.row(shard) {
		if h.visited[m] == h.search {
			continue
		}
		h.visited[m] = h.search
		h.via[m] = s
		h.queue = append(h.queue, m)
		if h.held[m] >= h.quota[m] {
			continue
		}
		kept := h.kept[shard*h.copies+i]
		if end == none || kept && !endKept || kept == endKept && h.score(shard, m) > h.score(shard, end) {
			end, endKept = m, kept
		}
	}
	return end
}

// apply hands the shards along the path over that ends at a member.
func (h *holding) apply(m int32) {
	h.held[m]++
	for {
		s := h.via[m]
		if s.shard == none { // the member that was relieved
			h.held[m]--
			return
		}
		h.holders[s.shard] = m
		h.lists[m] = append(h.lists[m], s.shard)
		if s.by == none {
			return
		}
		m = s.by
	}
}

package plan

// holding is the assignment of holders while it is computed. It searches breadth first: from a member over the shards that it holds to the
// other members of their rows, so that a path is a chain of hand-overs, and a shortest one.
type holding struct {
	*table
	held, quota []int
	lists       [][]int32 // shards that each member holds; those that it does not hold any more are skipped when met
	via         []step    // of each visited member: the shard that it would take over, and from which member
	visited     []int32   // number of the search that visited each member last
	search      int32
	queue       []int32 // members that the search visited, in its order
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
			if !t.isPinned(shard, m) {
				h.lists[m] = append(h.lists[m], int32(shard))
			}
		}
	}
	h.quota = t.holderQuota(h.held, t.loads, shards)
	return h
}

// relieve hands one shard of a member over to another member of its row if that makes the division fairer, and reports whether it did.
func (h *holding) relieve(m int32) bool {
	h.begin()
	h.visited[m] = h.search
	h.via[m] = step{none, none}
	end := h.followAll(m, func(to int32) bool { return h.heavier(m, -1, to, 1) })
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

// run searches from the members in the queue for one that is wanted; it returns none if none can be reached.
func (h *holding) run(wanted func(int32) bool) int32 {
	for i := 0; i < len(h.queue); i++ {
		if end := h.followAll(h.queue[i], wanted); end != none {
			return end
		}
	}
	return none
}

// followAll visits the members of all shards that a member holds, and returns one that is wanted.
func (h *holding) followAll(m int32, wanted func(int32) bool) int32 {
	for _, shard := range h.lists[m] {
		if h.holders[shard] != m {
			continue
		}
		if end := h.follow(step{shard, m}, wanted); end != none {
			return end
		}
	}
	return none
}

// follow visits the members of a shard, and returns one that is wanted: one that stood by already before a new one, and the one with
// the highest score of these.
func (h *holding) follow(s step, wanted func(int32) bool) int32 {
	shard := int(s.shard)
	end, endKept := none, false
	for i, m := range h.row(shard) {
		if h.visited[m] == h.search {
			continue
		}
		h.visited[m] = h.search
		h.via[m] = s
		h.queue = append(h.queue, m)
		if !wanted(m) {
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

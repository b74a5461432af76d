package plan

// pin puts the pinned shards where they belong, before anything else is computed. Where a member gets a copy by that, another copy makes
// way: one in its zone if the zone would have too many, else the last one.
func (t *table) pin(pins map[int]uint64) {
	if len(pins) == 0 {
		return
	}
	t.pins, t.pinned = make([]int32, t.shards), make([]int, t.len())
	for shard := range t.pins {
		t.pins[shard] = none
		id, ok := pins[shard]
		if !ok {
			continue
		}
		m, known := t.index[id]
		if !known {
			continue
		}
		if !t.has(shard, m) {
			t.makeWay(shard, m)
			t.add(shard, m)
		}
		t.pins[shard], t.holders[shard] = m, m
		t.pinned[m]++
	}
}

// makeWay takes from a shard the copy that a copy at a member could not be beside.
func (t *table) makeWay(shard int, m int32) {
	zoneFull := t.inZone(shard, t.zones[m]) >= t.perZone
	if !zoneFull && t.counts[shard] < t.copies {
		return
	}
	row := t.row(shard)
	for i := len(row) - 1; i >= 0; i-- {
		if !zoneFull || t.zones[row[i]] == t.zones[m] {
			t.remove(shard, row[i])
			return
		}
	}
}

// isPinned reports whether a copy must stay where it is.
func (t *table) isPinned(shard int, m int32) bool { return t.pins != nil && t.pins[shard] == m }

// overfill gives copies to members above their quotas where pins leave no other way: quotas can always be met, but not with any copies in
// fixed places.
func (t *table) overfill() {
	if t.pins == nil {
		return
	}
	all := &candidates{members: t.members(), hashes: t.hashes}
	for shard := range t.shards {
		for t.counts[shard] < t.copies {
			m := all.best(shard, func(m int32) bool { return t.admits(shard, m) })
			if m == none {
				m = all.best(shard, func(m int32) bool { return !t.has(shard, m) })
			}
			t.add(shard, m)
		}
	}
}

package plan

// place gives each shard the copies that it lacks: at the members with room and the highest scores, and where those are of no use, on
// paths on which other copies make way.
func (t *table) place() {
	open := t.openMembers()
	var stuck []int
	for shard := range t.shards {
		for t.counts[shard] < t.copies {
			m := open.best(shard, func(m int32) bool { return t.admits(shard, m) })
			if m == none {
				stuck = append(stuck, shard)
				break
			}
			t.add(shard, m)
			t.drop(open, m)
		}
	}
	if len(stuck) > 0 {
		newPaths(t, t.byMember()).place(stuck)
	}
}

package plan

import "slices"

// candidates are the members with room, in ascending order. Their hashes lie side by side, as a plan made from nothing spends nearly all of its
// time in computing the score of each of them for each shard.
type candidates struct {
	members []int32
	hashes  []uint64
}

// openMembers returns the members with room.
func (t *table) openMembers() *candidates {
	c := &candidates{}
	for _, m := range t.members() {
		if t.hasRoom(m) {
			c.members = append(c.members, m)
			c.hashes = append(c.hashes, t.hashes[m])
		}
	}
	return c
}

// drop removes a member from those with room if it has none left.
func (t *table) drop(c *candidates, m int32) {
	if t.hasRoom(m) {
		return
	}
	i, _ := slices.BinarySearch(c.members, m)
	c.members = slices.Delete(c.members, i, i+1)
	c.hashes = slices.Delete(c.hashes, i, i+1)
}

// best returns the member with the highest score for a shard among those allowed, or none.
func (c *candidates) best(shard int, allowed func(int32) bool) int32 {
	best, highest, hash := none, uint64(0), shardHash(shard)
	for i, h := range c.hashes {
		if s := Mix(hash ^ h); s >= highest && allowed(c.members[i]) {
			best, highest = c.members[i], s
		}
	}
	return best
}

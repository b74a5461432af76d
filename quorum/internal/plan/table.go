package plan

import "slices"

// table is an assignment while it is computed. The members of a shard are the first counts[shard] of its slots.
type table struct {
	*pool
	shards, copies int
	perZone        int     // copies of one shard that a zone may have
	slots          []int32 // copies for each shard
	kept           []bool  // of each slot: the old table had it
	counts         []int
	loads          []int   // copies of each member
	quota          []int   // copies that each member should have
	holders        []int32 // the member that holds each shard; none
	pins           []int32 // the member to which each shard is pinned; none. Nil without any
	pinned         []int   // copies pinned to each member; nil without any
}

// none stands for no member.
const none = int32(-1)

// newTable returns the table of what the old one has that is still allowed: the first members of each row that are known, different,
// at most as many as copies and at most perZone of one zone.
func newTable(p *pool, old [][]uint64, copies int, pins map[int]uint64) *table {
	t := &table{
		pool: p, shards: len(old), copies: copies, perZone: p.perZone(copies),
		slots: make([]int32, len(old)*copies), kept: make([]bool, len(old)*copies), counts: make([]int, len(old)),
		loads: make([]int, p.len()), holders: make([]int32, len(old)),
	}
	for shard, row := range old {
		t.holders[shard] = none
		for i, id := range row {
			if t.counts[shard] == copies {
				break
			}
			m, known := p.index[id]
			if !known || !t.admits(shard, m) {
				continue
			}
			t.add(shard, m)
			t.kept[shard*copies+t.counts[shard]-1] = true
			if i == 0 {
				t.holders[shard] = m
			}
		}
	}
	t.pin(pins)
	t.quota = p.copyQuota(t.loads, t.pinned, t.shards, copies, t.perZone)
	return t
}

// row returns the members of a shard.
func (t *table) row(shard int) []int32 {
	at := shard * t.copies
	return t.slots[at : at+t.counts[shard]]
}

// has reports whether a member has a copy of a shard.
func (t *table) has(shard int, m int32) bool { return slices.Contains(t.row(shard), m) }

// admits reports whether a shard may get a copy at a member, by the members and zones that it has. Room is another matter.
func (t *table) admits(shard int, m int32) bool {
	return !t.has(shard, m) && t.inZone(shard, t.zones[m]) < t.perZone
}

// canReplace reports whether a shard may have its copy at one member at another instead.
func (t *table) canReplace(shard int, from, to int32) bool {
	if t.has(shard, to) {
		return false
	}
	return t.zones[from] == t.zones[to] || t.inZone(shard, t.zones[to]) < t.perZone
}

// inZone returns how many copies of a shard are in a zone.
func (t *table) inZone(shard, zone int) int {
	n := 0
	for _, m := range t.row(shard) {
		if t.zones[m] == zone {
			n++
		}
	}
	return n
}

// hasRoom reports whether a member has fewer copies than it should have.
func (t *table) hasRoom(m int32) bool { return t.loads[m] < t.quota[m] }

// add gives a shard a copy at a member.
func (t *table) add(shard int, m int32) {
	i := shard*t.copies + t.counts[shard]
	t.slots[i], t.kept[i] = m, false
	t.counts[shard]++
	t.loads[m]++
}

// remove takes the copy of a shard from a member.
func (t *table) remove(shard int, m int32) {
	at, last := shard*t.copies, shard*t.copies+t.counts[shard]-1
	i := at + slices.Index(t.row(shard), m)
	copy(t.slots[i:last], t.slots[i+1:last+1])
	copy(t.kept[i:last], t.kept[i+1:last+1])
	t.counts[shard]--
	t.loads[m]--
	t.release(shard, m)
}

// release leaves a shard without a holder if the member held it.
func (t *table) release(shard int, m int32) {
	if t.holders[shard] == m {
		t.holders[shard] = none
	}
}

// replace gives the copy of a shard that one member has to another.
func (t *table) replace(shard int, from, to int32) {
	i := shard*t.copies + slices.Index(t.row(shard), from)
	t.slots[i], t.kept[i] = to, false
	t.loads[from]--
	t.loads[to]++
	t.release(shard, from)
}

// byMember returns the shards of each member that may be taken from it, in ascending order.
func (t *table) byMember() [][]int32 {
	lists := make([][]int32, t.len())
	for m, n := range t.loads {
		lists[m] = make([]int32, 0, n)
	}
	for shard := range t.shards {
		for _, m := range t.row(shard) {
			if !t.isPinned(shard, m) {
				lists[m] = append(lists[m], int32(shard))
			}
		}
	}
	return lists
}

// rows returns the table by IDs, the holder of each shard first. All rows share one array, each to its capacity.
func (t *table) rows() [][]uint64 {
	rows := make([][]uint64, t.shards)
	all := make([]uint64, 0, t.shards*t.copies)
	for shard := range rows {
		at := len(all)
		if h := t.holders[shard]; h != none {
			all = append(all, t.ids[h])
		}
		for _, m := range t.row(shard) {
			if m != t.holders[shard] {
				all = append(all, t.ids[m])
			}
		}
		rows[shard] = all[at:len(all):len(all)]
	}
	return rows
}

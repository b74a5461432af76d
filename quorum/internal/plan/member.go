package plan

import (
	"cmp"
	"slices"
)

// MaxWeight is the greatest weight of a member; a greater one counts as this.
const MaxWeight = 1 << 16

// Member is a member that shards can be given to.
type Member struct {
	// ID names the member in tables. Any number will do, in any distribution; of two members with one ID the first counts.
	ID uint64
	// Zone is where it runs. All members with the empty zone count as one zone.
	Zone string
	// Weight is its share relative to the others, at most MaxWeight. A member with weight 0, or less, gets nothing.
	Weight int
	// Drain takes all shards from it.
	Drain bool
}

// takes reports whether the member may have shards at all.
func (m Member) takes() bool { return m.Weight > 0 && !m.Drain }

// pool is the members that may have shards, in the order of their IDs, so that the order of the caller's list has no influence.
// Inside this package a member is its position in the pool.
type pool struct {
	ids     []uint64
	weights []int
	hashes  []uint64 // mixed IDs, for scores
	zones   []int    // zone of each member, counted from 0
	sizes   []int    // members of each zone
	index   map[uint64]int32
}

func newPool(members []Member) *pool {
	members = slices.Clone(members)
	slices.SortStableFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	members = slices.CompactFunc(members, func(a, b Member) bool { return a.ID == b.ID })
	members = slices.DeleteFunc(members, func(m Member) bool { return !m.takes() })
	p := &pool{index: make(map[uint64]int32, len(members))}
	names := make(map[string]int)
	for i, m := range members {
		zone, known := names[m.Zone]
		if !known {
			zone = len(p.sizes)
			names[m.Zone] = zone
			p.sizes = append(p.sizes, 0)
		}
		p.sizes[zone]++
		p.zones = append(p.zones, zone)
		p.ids = append(p.ids, m.ID)
		p.weights = append(p.weights, min(m.Weight, MaxWeight))
		p.hashes = append(p.hashes, Mix(m.ID+idSeed))
		p.index[m.ID] = int32(i)
	}
	return p
}

// len returns the number of members.
func (p *pool) len() int { return len(p.ids) }

// perZone returns how many copies of one shard a zone must be ready to take: the smallest k for which
// Σ min(k, members of the zone) ≥ copies. It is 1 when there are as many zones as copies.
func (p *pool) perZone(copies int) int {
	for k := 1; ; k++ {
		room := 0
		for _, size := range p.sizes {
			room += min(k, size)
		}
		if room >= min(copies, p.len()) {
			return k
		}
	}
}

// members returns all members.
func (p *pool) members() []int32 {
	all := make([]int32, p.len())
	for m := range all {
		all[m] = int32(m)
	}
	return all
}

package plan

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// scene is what a call of Plan gets.
type scene struct {
	old     [][]uint64
	members []Member
	copies  int
}

func (s scene) plan() [][]uint64 { return Plan(s.old, s.members, s.copies) }

func (s scene) String() string {
	return fmt.Sprintf("%d copies\nmembers %+v\nold %v", s.copies, s.members, s.old)
}

// equal returns members 1 to n of weight 1 in zones that take turns; no zones if zones is 0.
func equal(n, zones int) []Member {
	members := make([]Member, n)
	for i := range members {
		members[i] = Member{ID: uint64(i + 1), Weight: 1}
		if zones > 0 {
			members[i].Zone = fmt.Sprint("zone-", i%zones)
		}
	}
	return members
}

// randomScene returns members of any kind and a table with fewer rows than most, which may hold garbage, or be a plan for other members.
func randomScene(r *rand.Rand, most int) scene {
	s := scene{copies: 1 + r.IntN(4), members: randomMembers(r, 1+r.IntN(12))}
	shards := r.IntN(most)
	switch r.IntN(4) {
	case 0:
		s.old = make([][]uint64, shards)
	case 1:
		s.old = garbage(r, shards)
	default:
		before := randomMembers(r, 1+r.IntN(12))
		s.old = Plan(make([][]uint64, shards), before, 1+r.IntN(4))
	}
	return s
}

func randomMembers(r *rand.Rand, n int) []Member {
	members := make([]Member, n)
	zones := 1 + r.IntN(5)
	heaviest := 1 + r.IntN(4)*r.IntN(4)
	for i := range members {
		members[i] = Member{ID: r.Uint64N(20), Zone: fmt.Sprint(r.IntN(zones)), Weight: 1 + r.IntN(heaviest)}
		if r.IntN(8) == 0 {
			members[i].Drain = true
		}
		if r.IntN(12) == 0 {
			members[i].Weight = -r.IntN(2)
		}
	}
	return members
}

// garbage returns rows of any length with any IDs, of which many are not members.
func garbage(r *rand.Rand, shards int) [][]uint64 {
	rows := make([][]uint64, shards)
	for i := range rows {
		for range r.IntN(6) {
			rows[i] = append(rows[i], r.Uint64N(24))
		}
	}
	return rows
}

// eligible returns the members that may have shards, by ID: the first of each ID counts.
func (s scene) eligible() map[uint64]Member {
	all, seen := map[uint64]Member{}, map[uint64]bool{}
	for _, m := range s.members {
		if !seen[m.ID] && m.Weight > 0 && !m.Drain {
			all[m.ID] = m
		}
		seen[m.ID] = true
	}
	return all
}

// width returns how many copies of each shard there can be.
func (s scene) width() int { return min(s.copies, len(s.eligible())) }

// usable returns what can be kept of each old row: the first members that are eligible, different and in allowed zones.
func (s scene) usable(perZone int) [][]uint64 {
	rows := make([][]uint64, len(s.old))
	members := s.eligible()
	for i, row := range s.old {
		inZone := map[string]int{}
		for _, id := range row {
			m, ok := members[id]
			if !ok || slices.Contains(rows[i], id) || inZone[m.Zone] == perZone || len(rows[i]) == s.width() {
				continue
			}
			inZone[m.Zone]++
			rows[i] = append(rows[i], id)
		}
	}
	return rows
}

// loads counts the copies of each member.
func loads(rows [][]uint64) map[uint64]int {
	count := map[uint64]int{}
	for _, row := range rows {
		for _, id := range row {
			count[id]++
		}
	}
	return count
}

// holders returns the first column of a table.
func holders(rows [][]uint64) [][]uint64 {
	first := make([][]uint64, len(rows))
	for i, row := range rows {
		first[i] = row[:min(1, len(row))]
	}
	return first
}

// added counts the members of rows that are not in the same row of old.
func added(old, rows [][]uint64) int {
	n := 0
	for i, row := range rows {
		for _, id := range row {
			if !slices.Contains(old[i], id) {
				n++
			}
		}
	}
	return n
}

// without returns the members but those with the IDs.
func without(members []Member, ids ...uint64) []Member {
	return slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return slices.Contains(ids, m.ID) })
}

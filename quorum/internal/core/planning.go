package core

import (
	"hash/fnv"
	"slices"

	"github.com/goconvoke/convoke/quorum/internal/plan"
)

// planning is a group as package plan sees it: a table of those shards that are to be planned.
type planning struct {
	members  []plan.Member
	shards   []int       // of the group, by row of the table; nil: all of them
	rows     map[int]int // rows of the table, by shard; nil: the row of a shard has its number
	current  [][]uint64
	pins     map[int]uint64    // by row, of members and of hand-overs that an operator asked for
	sessions map[uint64]uint64 // by the hash of the member's name
}

// nameHash returns the ID of a member for package plan, never 0.
func nameHash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return max(h.Sum64(), 1)
}

// newPlanning returns the planning of a group, the shards reserved left out.
func newPlanning(t *Table, g *Group, live []uint64, reserved map[int]struct{}) planning {
	p := planning{sessions: map[uint64]uint64{}, pins: make(map[int]uint64, len(g.pins))}
	ids := map[uint64]uint64{} // by session
	for _, m := range g.Members {
		s := t.sessions[m.Session]
		if _, ok := slices.BinarySearch(live, m.Session); !ok || s == nil {
			continue
		}
		id := nameHash(s.Name)
		ids[m.Session], p.sessions[id] = id, m.Session
		p.members = append(p.members, plan.Member{ID: id, Zone: s.Zone, Weight: m.Weight, Drain: s.Draining || g.excludes(s.Name)})
	}
	p.current = make([][]uint64, 0, len(g.Shards))
	if len(reserved) > 0 {
		p.rows = make(map[int]int, len(g.Shards))
	}
	for i, s := range g.Shards {
		if _, left := reserved[i]; left {
			continue
		}
		if p.rows != nil {
			p.rows[i] = len(p.shards)
			p.shards = append(p.shards, i)
		}
		p.current = append(p.current, rowOf(ids, s))
	}
	for shard, name := range g.pins {
		p.pin(shard, name)
	}
	return p
}

// row returns the row of a shard, false if it is left out.
func (p *planning) row(shard int) (int, bool) {
	if p.rows == nil {
		return shard, true
	}
	row, ok := p.rows[shard]
	return row, ok
}

// shard returns the shard of a row.
func (p *planning) shard(row int) int {
	if p.shards == nil {
		return row
	}
	return p.shards[row]
}

// pin has a plan give a shard to a member.
func (p *planning) pin(shard int, name string) {
	if row, ok := p.row(shard); ok {
		p.pins[row] = nameHash(name)
	}
}

// rowOf returns the row of a shard: its holder, or 0 in its place if that is not live, and its standbys.
func rowOf(ids map[uint64]uint64, s Shard) []uint64 {
	if s.Holder == 0 && len(s.Standby) == 0 {
		return nil
	}
	row := []uint64{ids[s.Holder]}
	for _, id := range s.Standby {
		if ids[id] != 0 {
			row = append(row, ids[id])
		}
	}
	return row
}

// sessionsOf returns the sessions of a row.
func (p *planning) sessionsOf(row []uint64) []uint64 {
	var out []uint64
	for _, id := range row {
		out = append(out, p.sessions[id])
	}
	return out
}

package core

import (
	"hash/fnv"
	"slices"

	"github.com/goconvoke/convoke/quorum/internal/plan"
)

// planning is a group as package plan sees it.
type planning struct {
	members  []plan.Member
	current  [][]uint64
	pins     map[int]uint64    // by shard, of members and of hand-overs that an operator asked for
	sessions map[uint64]uint64 // by the hash of the member's name
}

// nameHash returns the ID of a member for package plan, never 0.
func nameHash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return max(h.Sum64(), 1)
}

func newPlanning(t *Table, g *Group, live []uint64) planning {
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
	for shard, name := range g.pins {
		p.pins[shard] = nameHash(name)
	}
	p.current = make([][]uint64, len(g.Shards))
	for i, s := range g.Shards {
		p.current[i] = rowOf(ids, s)
	}
	return p
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

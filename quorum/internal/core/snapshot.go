package core

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// state is all that the log determines.
type state struct {
	table  *Table
	kv     *kvMap
	voters map[uint64]string // names by raft ID, of voters and learners
}

func newState(b Birth) *state {
	return &state{table: newTable(b), kv: newMap(), voters: map[uint64]string{}}
}

// Field numbers of a snapshot. Those of the table come first: a member that is not a voter is sent these alone.
const (
	snapBirth   = 1
	snapIndex   = 2
	snapLast    = 3
	snapSession = 4
	snapGroup   = 5
	snapItem    = 6
	snapVoter   = 7
	snapInto    = 8
	snapEra     = 9
)

// maxSnapshot bounds the bytes of a snapshot that is taken from another member: the map, and the table four times over.
const maxSnapshot = 4 * MaxMap

func (s *state) encode() []byte {
	b := s.table.encode()
	for _, key := range s.kv.keys() {
		it := s.kv.items[key]
		m := appendText(nil, 1, key)
		m = appendText(m, 2, it.value)
		m = appendNumber(m, 3, it.index)
		b = appendMessage(b, snapItem, appendNumber(m, 4, it.session))
	}
	for _, id := range slices.Sorted(maps.Keys(s.voters)) {
		b = appendMessage(b, snapVoter, appendText(appendNumber(nil, 1, id), 2, s.voters[id]))
	}
	return b
}

func (t *Table) encode() []byte {
	b := appendNumber(nil, snapBirth, uint64(t.birth))
	b = appendNumber(b, snapIndex, t.index)
	b = appendNumber(b, snapLast, t.last)
	b = appendNumber(b, snapInto, uint64(t.into))
	b = appendNumber(b, snapEra, uint64(t.era))
	for _, id := range t.order {
		s := t.sessions[id]
		m := appendNumber(nil, 1, s.ID)
		m = appendNumber(m, 2, s.Nonce)
		m = appendText(m, 3, s.Name)
		m = appendText(m, 4, s.Zone)
		b = appendMessage(b, snapSession, appendBool(m, 5, s.Draining))
	}
	for _, g := range t.groups {
		b = appendMessage(b, snapGroup, g.encode())
	}
	return b
}

// encode packs the shards into one field of numbers, since there may be many: token, holder, count of standbys, standbys.
func (g *Group) encode() []byte {
	b := appendText(nil, 1, g.Name)
	b = appendNumber(b, 2, uint64(g.Level))
	b = appendNumber(b, 3, uint64(g.Copies))
	for _, m := range g.Members {
		b = appendMessage(b, 4, appendNumbers(nil, m.Session, uint64(m.Weight), uint64(m.Moves)))
	}
	var packed []byte
	for _, s := range g.Shards {
		packed = protowire.AppendVarint(packed, uint64(s.Token))
		packed = protowire.AppendVarint(packed, s.Holder)
		packed = protowire.AppendVarint(packed, uint64(len(s.Standby)))
		for _, id := range s.Standby {
			packed = protowire.AppendVarint(packed, id)
		}
	}
	b = appendText(b, 5, packed)
	for _, shard := range slices.Sorted(maps.Keys(g.pins)) {
		b = appendMessage(b, 6, appendText(appendNumber(nil, 1, uint64(shard)), 2, g.pins[shard]))
	}
	for _, name := range slices.Sorted(maps.Keys(g.excluded)) {
		b = appendMessage(b, 7, name)
	}
	return appendNumber(b, 8, uint64(g.Return))
}

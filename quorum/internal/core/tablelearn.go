package core

import (
	"maps"
	"slices"
)

// learn takes what the leader streams of the table. What does not follow on what is there is left alone: the next
// renewal names the index, and the leader begins there.
func (m *member) learn(c *Core, from string, f *TableFrame) {
	m.follow(c, from, f.Term)
	m.hear(c, from)
	switch {
	case f.Last <= m.table.index:
		return
	case f.Whole != nil:
		t, err := parseTable(f.Whole)
		if err != nil || t.birth != c.birth || t.index != f.Last {
			c.emit(Rejected{Peer: from, Reason: "a table that cannot be read"})
			return
		}
		m.table = t
		m.views.replaced()
		m.beginAll(c)
	case f.Prev > m.table.index:
		return
	default:
		for _, e := range f.Entries {
			if e.Index <= m.table.index {
				continue
			}
			ops, _ := parseEntry(e.Data)
			m.table.apply(e.Index, ops)
		}
		m.table.index = f.Last
		for _, k := range m.table.takeTouched() {
			m.views.changed(k)
			m.begin(c, k)
		}
	}
	m.checkGroups(c)
	m.dropReleases()
	m.releaseSynced(c)
	c.emit(Changed{})
}

// checkGroups reports groups that exist with other settings than this member wants.
func (m *member) checkGroups(c *Core) {
	for _, name := range slices.Sorted(maps.Keys(m.serves)) {
		want, g := m.serves[name], m.table.byName[name]
		if g == nil || want.Weight == 0 || m.refused[name] {
			continue
		}
		if len(g.Shards) != want.Shards || g.Level != want.Level || g.Copies != want.Copies || g.Return != want.Return {
			m.refused[name] = true
			c.emit(Refused{Group: name, Have: GroupSettings{Name: name, Shards: len(g.Shards), Level: g.Level, Copies: g.Copies, Return: g.Return}})
		}
	}
}

// serveChanges returns what of the groups is not in the table as this member wants it.
func (m *member) serveChanges() []GroupSettings {
	var out []GroupSettings
	if m.session == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.serves)) {
		want, have := m.serves[name], m.table.byName[name].asked(m.session)
		differs := have.Weight != want.Weight || want.Weight != 0 && have.Moves != want.Moves
		if differs && !m.refused[name] && len(out) < MaxGroups {
			out = append(out, want)
		}
	}
	return out
}

// serve takes part in a group, or no longer.
func (m *member) serve(c *Core, g GroupSettings) {
	m.serves[g.Name] = g
	delete(m.refused, g.Name)
	m.checkGroups(c)
	m.soon(c)
}

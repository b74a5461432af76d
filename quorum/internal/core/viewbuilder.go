package core

import (
	"maps"
	"slices"
	"time"
)

// pageSize is how many shards of a group are copied together when one of them changes.
const pageSize = 256

// pageKey names a page of a group.
type pageKey struct {
	group uint64
	page  int
}

// viewBuilder makes views of a table by copy on write: a view costs the pages that changed since the last one, and the lists of pages
// of their groups.
type viewBuilder struct {
	last  *TableView
	whole bool // the table is another one
	dirty map[pageKey]struct{}
}

func newViewBuilder() viewBuilder {
	return viewBuilder{last: &TableView{}, dirty: map[pageKey]struct{}{}}
}

// changed notes that a shard changed.
func (b *viewBuilder) changed(k shardKey) { b.dirty[pageKey{k.group, k.shard / pageSize}] = struct{}{} }

// replaced notes that the table is another one.
func (b *viewBuilder) replaced() {
	b.whole = true
	clear(b.dirty)
}

// view returns the table as it is now: the last view if nothing happened since.
func (b *viewBuilder) view(t *Table, heard time.Duration) *TableView {
	last := b.last
	if !b.whole && last.index == t.index && last.heard == heard {
		return last
	}
	v := &TableView{index: t.index, heard: heard, groups: last.groups, byName: last.byName}
	if b.whole {
		v.groups, v.byName, b.whole = nil, nil, false
	}
	known := len(v.groups)
	if len(b.dirty) > 0 || known < len(t.groups) {
		v.groups = slices.Clone(v.groups)
	}
	if known < len(t.groups) {
		v.addGroups(t)
	}
	v.update(t, b.dirty, known)
	clear(b.dirty)
	b.last = v
	return v
}

// addGroups adds the groups that the view does not have yet.
func (v *TableView) addGroups(t *Table) {
	names := make(map[string]int, len(t.groups))
	maps.Copy(names, v.byName)
	for _, g := range t.groups[len(v.groups):] {
		gv := &GroupView{name: g.Name, level: g.Level, copies: g.Copies, shards: len(g.Shards)}
		gv.pages = make([][]ShardView, (len(g.Shards)+pageSize-1)/pageSize)
		for page := range gv.pages {
			gv.setPage(t, g, page)
		}
		names[g.Name] = len(v.groups)
		v.groups = append(v.groups, gv)
	}
	v.byName = names
}

// update replaces the pages that changed of the groups that were known.
func (v *TableView) update(t *Table, dirty map[pageKey]struct{}, known int) {
	copied := map[uint64]bool{}
	for k := range dirty {
		g := t.group(k.group)
		if g == nil || k.group > uint64(known) {
			continue
		}
		gv := v.groups[k.group-1]
		if !copied[k.group] {
			clone := *gv
			gv = &clone
			gv.pages = slices.Clone(gv.pages)
			v.groups[k.group-1], copied[k.group] = gv, true
		}
		gv.setPage(t, g, k.page)
	}
}

// setPage makes one page from the table.
func (v *GroupView) setPage(t *Table, g *Group, page int) {
	v.held -= countHeld(v.pages[page])
	shards := g.Shards[page*pageSize : min((page+1)*pageSize, len(g.Shards))]
	out := make([]ShardView, len(shards))
	for i, s := range shards {
		out[i] = ShardView{Session: s.Holder, Token: s.Token, Owner: t.memberName(s.Holder)}
		for _, id := range s.Standby {
			out[i].Standby = append(out[i].Standby, t.memberName(id))
		}
	}
	v.pages[page] = out
	v.held += countHeld(out)
}

func countHeld(page []ShardView) int {
	n := 0
	for i := range page {
		if page[i].Session != 0 {
			n++
		}
	}
	return n
}

// memberName returns the name of the member of a session, "" if there is no such session.
func (t *Table) memberName(session uint64) string {
	if s := t.sessions[session]; s != nil {
		return s.Name
	}
	return ""
}

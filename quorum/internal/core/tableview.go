package core

import "time"

// TableView is the table of all shards at one moment. It never changes, so that any goroutine may read it; views that follow one another
// share what did not change between them. The zero value is a table without groups.
type TableView struct {
	index  uint64
	heard  time.Duration
	groups []*GroupView   // by ID, from 1
	byName map[string]int // index in groups
}

// GroupView is one group of a [TableView].
type GroupView struct {
	name   string
	level  Level
	copies int
	shards int
	held   int
	pages  [][]ShardView // of pageSize shards each, the last one of what is left
}

// ShardView is one shard of a [TableView].
type ShardView struct {
	Owner   string   // name of the member that holds it, "" if none does
	Session uint64   // of the owner, 0 if there is none
	Token   Token    // of the last grant, also while there is no owner
	Standby []string // names of the members that are to hold it next, in this order; read-only
}

// Index returns the index of the last entry of the log that is in the table, 0 before anything was learned.
func (v *TableView) Index() uint64 { return v.index }

// Heard returns the reading of Now.Running at which the member last received something of a leader, 0 for never. The table is
// at most as old as the time since then and what was on its way.
func (v *TableView) Heard() time.Duration { return v.heard }

// Groups returns the groups in the order in which they were made. The slice is read-only.
func (v *TableView) Groups() []*GroupView { return v.groups }

// Group returns a group by name, nil if there is none.
func (v *TableView) Group(name string) *GroupView {
	if i, ok := v.byName[name]; ok {
		return v.groups[i]
	}
	return nil
}

// Owner returns the member that holds a shard and the token that it holds it under. It returns false if there is no such group or shard,
// or if no member holds it; the token is then that of the last grant.
func (v *TableView) Owner(group string, shard int) (name string, token Token, ok bool) {
	g := v.Group(group)
	if g == nil || shard < 0 || shard >= g.shards {
		return "", 0, false
	}
	s := g.at(shard)
	return s.Owner, s.Token, s.Session != 0
}

// Name returns the name of the group.
func (g *GroupView) Name() string { return g.name }

// Level returns what the group promises about the holders of a shard.
func (g *GroupView) Level() Level { return g.level }

// Copies returns how many members each shard should have, the holder included.
func (g *GroupView) Copies() int { return g.copies }

// Len returns the number of shards.
func (g *GroupView) Len() int { return g.shards }

// Held returns how many of the shards have a holder.
func (g *GroupView) Held() int { return g.held }

// Shard returns a shard, from 0 to Len-1.
func (g *GroupView) Shard(shard int) ShardView { return *g.at(shard) }

func (g *GroupView) at(shard int) *ShardView { return &g.pages[shard/pageSize][shard%pageSize] }

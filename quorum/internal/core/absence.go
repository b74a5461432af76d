package core

import (
	"maps"
	"slices"
	"time"
)

// absence is what a member held whose session ended though it did not leave: for as long as its groups allow, nothing of it goes to another
// member. It is this leader's alone, so the next one gives such shards away at once.
type absence struct {
	since  time.Duration // when it last renewed
	shards map[shardKey]struct{}
}

// noteAbsences notes what members lose by operations that are about to be applied.
func (l *leader) noteAbsences(c *Core, ops []op) {
	t := c.raft.state.table
	for i := range ops {
		s := t.sessions[ops[i].session]
		ends := ops[i].kind == opEnd || ops[i].kind == opOpen && s != nil && s.Name == ops[i].name
		if !ends || s == nil || s.Draining {
			continue
		}
		a := &absence{since: max(l.heard[s.ID], l.since), shards: map[shardKey]struct{}{}}
		for _, g := range t.groups {
			if g.Return == 0 || g.held[s.ID] == 0 {
				continue
			}
			for shard := range g.Shards {
				if g.Shards[shard].Holder == s.ID {
					a.shards[shardKey{g.ID, shard}] = struct{}{}
				}
			}
		}
		if len(a.shards) > 0 {
			l.absent[s.Name] = a
		}
	}
}

// endAbsences drops absences that are over: the member serves the group again, or the time that the group allows has passed.
func (l *leader) endAbsences(c *Core) {
	t := c.raft.state.table
	for name, a := range l.absent {
		for k := range a.shards {
			g := t.group(k.group)
			if c.now.Running-a.since >= g.Return || l.serves(t, g, name) {
				delete(a.shards, k)
			}
		}
		if len(a.shards) == 0 {
			delete(l.absent, name)
		}
	}
}

// serves reports whether a member has a live session that takes part in a group.
func (l *leader) serves(t *Table, g *Group, name string) bool {
	return slices.ContainsFunc(l.assign.live, func(id uint64) bool { return t.sessions[id].Name == name && g.member(id) >= 0 })
}

// reserved returns the shards of a group that wait for the member which held them, and until when that is to be looked at again.
func (l *leader) reserved(c *Core, g *Group) (shards map[int]struct{}, until time.Duration) {
	until = c.now.Running + far
	if g.Return == 0 {
		return nil, until
	}
	shards = map[int]struct{}{}
	for a := range maps.Values(l.absent) {
		for k := range a.shards {
			if k.group == g.ID && g.Shards[k.shard].Holder == 0 && l.moving[k] == nil {
				shards[k.shard] = struct{}{}
				until = min(until, a.since+g.Return)
			}
		}
	}
	t := c.raft.state.table
	for id := range g.held {
		s, end := t.sessions[id], l.lastSign(c, id)+g.Return
		if slices.Contains(l.assign.live, id) || s.Draining || g.member(id) < 0 || c.now.Running >= end || l.serves(t, g, s.Name) {
			continue
		}
		until = min(until, end)
		for shard := range g.Shards {
			if g.Shards[shard].Holder == id && l.moving[shardKey{g.ID, shard}] == nil {
				shards[shard] = struct{}{}
			}
		}
	}
	return shards, until
}

package core

import (
	"slices"
	"time"
)

// gathering is a group that waits for its members before any of them is given a shard.
type gathering struct {
	members        int           // that can be given shards
	since, changed time.Duration // when the first of them came, and the last
	restart        bool          // its members may all be starting again
}

// gathers reports whether a group that no live member holds a shard of still waits for members: a new one, and one whose members all start
// again, as after a loss of power. Otherwise the first to come would be given all shards, and balance comes slowly.
//
// A new group waits until no member has come for gatherQuiet. Of another one it is known who may come: it waits until every member with a
// session serves it. Neither waits for longer than gatherMost from the first member on. A group whose last holder dies while
// others serve it does not wait.
func (l *leader) gathers(c *Core, g *Group) bool {
	a, now := &l.assign, c.now.Running
	if len(g.Shards) == 1 || slices.ContainsFunc(a.live, func(session uint64) bool { return g.held[session] > 0 }) {
		delete(a.gathering, g.ID)
		return false
	}
	came, missing := a.gathered(c.raft.state.table, g)
	w := a.gathering[g.ID]
	if w == nil {
		w = &gathering{since: now, changed: now, restart: now-l.since < gatherMost+c.cfg.Lease/4}
		a.gathering[g.ID] = w
	}
	if w.members == 0 && came > 0 {
		w.since = now
	}
	if w.members != came {
		w.members, w.changed = came, now
	}
	switch {
	case came == 0:
		w.restart = true
		return false
	case now-w.since >= gatherMost:
		return false
	case g.wasHeld():
		return w.restart && missing
	}
	return now-w.changed < gatherQuiet
}

// gathered returns how many members of a group can be given shards, and whether there is a member with a session that does not serve it.
func (a *assigner) gathered(t *Table, g *Group) (came int, missing bool) {
	serving := make(map[string]bool, len(g.Members))
	for _, m := range g.Members {
		if slices.Contains(a.live, m.Session) {
			serving[t.sessions[m.Session].Name] = true
		}
	}
	missing = slices.ContainsFunc(t.order, func(id uint64) bool { return !serving[t.sessions[id].Name] })
	return len(serving), missing
}

// wasHeld reports whether a shard of the group ever had a holder.
func (g *Group) wasHeld() bool {
	return slices.ContainsFunc(g.Shards, func(s Shard) bool { return s.Token != 0 })
}

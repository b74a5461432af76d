package core

import (
	"slices"
	"time"
)

// gathering is a new group that waits for its members.
type gathering struct {
	members        int
	since, changed time.Duration
}

// gathers reports whether a group that never had a holder still waits for members.
func (a *assigner) gathers(g *Group, now time.Duration) bool {
	if len(g.Shards) == 1 || slices.ContainsFunc(g.Shards, func(s Shard) bool { return s.Token != 0 }) {
		delete(a.gathering, g.ID)
		return false
	}
	w := a.gathering[g.ID]
	if w == nil {
		w = &gathering{since: now}
		a.gathering[g.ID] = w
	}
	if w.members != len(g.Members) {
		w.members, w.changed = len(g.Members), now
	}
	return now-w.changed < gatherQuiet && now-w.since < gatherMost
}

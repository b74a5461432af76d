package core

import (
	"maps"
	"slices"
)

// tendStandby reports whether this member is to hold a shard next, if that changed.
func (m *member) tendStandby(c *Core, k shardKey, g *Group, s *Shard) {
	stands := m.session != 0 && slices.Contains(s.Standby, m.session)
	if _, stood := m.standby[k]; stands == stood || stood && s.Holder == m.session && m.session != 0 {
		return // no change, or it holds the shard: see Start
	}
	if stands {
		m.standby[k] = g.Name
	} else {
		delete(m.standby, k)
	}
	c.emit(Standby{Group: g.Name, Shard: k.shard, On: stands})
}

// endStandby reports that this member is to hold no shard next, as its session has ended.
func (m *member) endStandby(c *Core) {
	for _, k := range slices.SortedFunc(maps.Keys(m.standby), compareShards) {
		c.emit(Standby{Group: m.standby[k], Shard: k.shard})
	}
	clear(m.standby)
}

package core

import (
	"cmp"
	"maps"
	"slices"
)

// forget drops revocations that have done their work.
func (a *assigner) forget(t *Table) {
	for k, r := range a.revoking {
		if _, s := t.shard(k.group, uint64(k.shard)); s == nil || s.Holder != r.session || s.Token != r.token {
			delete(a.revoking, k)
		}
	}
}

// again sends revocations that are new, or old and not followed yet.
func (a *assigner) again(c *Core) {
	a.forget(c.raft.state.table)
	frames := map[uint64]*RevokeFrame{}
	var order []uint64
	for _, k := range slices.SortedFunc(maps.Keys(a.revoking), compareShards) {
		r := a.revoking[k]
		if r.sent != 0 && c.now.Running-r.sent < revokeAgain {
			continue
		}
		f := frames[r.session]
		if f == nil {
			f = &RevokeFrame{Birth: c.birth, Session: r.session}
			frames[r.session] = f
			order = append(order, r.session)
		}
		if len(f.Holds) < maxHolds {
			r.sent = max(c.now.Running, 1)
			f.Holds = append(f.Holds, Hold{Group: k.group, Shard: k.shard, Token: r.token})
		}
	}
	for _, id := range order {
		c.send(c.raft.state.table.sessions[id].Name, frames[id])
	}
}

func compareShards(a, b shardKey) int {
	return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.shard, b.shard))
}

package plan

import (
	"cmp"
	"slices"
)

// giveUp brings each member that is above its quota down to it. The shards for which it has the lowest scores go first; with several
// copies, after those that a member with room can take without making another copy move.
func (t *table) giveUp() {
	if t.copies > 1 {
		t.pass()
	}
	over, lists := t.overQuota()
	for _, m := range over {
		for _, shard := range lists[m][:min(t.excess(m), len(lists[m]))] {
			t.remove(int(shard), m)
		}
	}
}

// overQuota returns the members above their quota, and for each of them its shards in ascending order of score. It returns no lists if there
// are no such members.
func (t *table) overQuota() (over []int32, lists [][]int32) {
	over = slices.DeleteFunc(t.members(), func(m int32) bool { return t.excess(m) <= 0 })
	if len(over) == 0 {
		return nil, nil
	}
	lists = t.byMember()
	for _, m := range over {
		slices.SortFunc(lists[m], func(a, b int32) int {
			return cmp.Or(cmp.Compare(t.score(int(a), m), t.score(int(b), m)), cmp.Compare(a, b))
		})
	}
	return over, lists
}

// excess returns how many copies a member has above its quota.
func (t *table) excess(m int32) int { return t.loads[m] - t.quota[m] }

// pass gives copies of members above their quota to members with room: those that another can take at once, and then those for which
// others make way.
func (t *table) pass() {
	over, lists := t.overQuota()
	if len(over) == 0 {
		return
	}
	open := t.openMembers()
	for _, m := range over {
		t.passDirectly(m, lists[m], open)
	}
	p := newPaths(t, t.byMember())
	for _, m := range over {
		for t.excess(m) > 0 && p.relieve(m) {
		}
	}
}

// passDirectly gives shards of a member above its quota, in the order given, to those members with room that can take them.
func (t *table) passDirectly(m int32, shards []int32, open *candidates) {
	for _, shard := range shards {
		if t.excess(m) <= 0 {
			return
		}
		to := open.best(int(shard), func(to int32) bool { return t.canReplace(int(shard), m, to) })
		if to != none {
			t.replace(int(shard), m, to)
			t.drop(open, to)
		}
	}
}

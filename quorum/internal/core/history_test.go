package core

import "time"

// history is what the log did to the map and to shards, for the check of linearizability by a program that knows nothing of Raft. Its
// methods may be called on nil.
type history struct {
	writes map[string]effect // of the map, by value: every write of the traffic has its own
	owners map[shardKey][]ownership
	syncs  []syncRead
}

// effect is a write that took effect: at the latest when a first voter applied it.
type effect struct {
	index uint64
	at    time.Duration
}

// ownership is what a shard changed to, and when a first voter applied that.
type ownership struct {
	owner
	at time.Duration
}

// owner is what a member reads of a shard.
type owner struct {
	token  Token
	holder uint64
}

// syncRead is a read of all shards after a Sync.
type syncRead struct {
	began, ended time.Duration
	owners       map[shardKey]owner
}

func newHistory() *history {
	return &history{writes: map[string]effect{}, owners: map[shardKey][]ownership{}}
}

func (h *history) applied(now time.Duration, ops []op, outcomes []outcome) {
	if h == nil {
		return
	}
	for i, o := range outcomes {
		if o.code == OK && ops[i].kind == opPut {
			h.writes[string(ops[i].value)] = effect{o.index, now}
		}
	}
}

func (h *history) shardChanged(now time.Duration, k shardKey, s Shard) {
	if h == nil {
		return
	}
	list, is := h.owners[k], owner{s.Token, s.Holder}
	if len(list) == 0 || list[len(list)-1].owner != is {
		h.owners[k] = append(list, ownership{is, now})
	}
}

// synced notes what a member reads right after a Sync that succeeded.
func (h *history) synced(r *simRequest, code Code, t *Table) {
	if h == nil || code != OK {
		return
	}
	read := syncRead{began: r.began, ended: r.ended, owners: map[shardKey]owner{}}
	for _, g := range t.groups {
		for i, s := range g.Shards {
			read.owners[shardKey{g.ID, i}] = owner{s.Token, s.Holder}
		}
	}
	h.syncs = append(h.syncs, read)
}

package quorum

import (
	"context"
	"iter"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Assignment is who holds the shards of a group at one moment, as a member knows it. It never changes.
type Assignment struct {
	group *core.GroupView // nil: the group does not exist yet
}

// Owner is the holder of a shard.
type Owner struct {
	Shard    int
	Name     string   // of the member; "" if no member holds the shard
	Token    Token    // of the last grant, also while no member holds it
	Standbys []string // names of the members that are to hold it next, in this order; read-only
}

// Assignment returns who holds the shards of the group, as Owner returns it for one.
func (s *Shards) Assignment() Assignment {
	t, _ := s.newest()
	return Assignment{t.Group(s.group)}
}

// Assignment returns who holds the shards of a group of any name, that of a leader too, as this member knows it.
func (q *Quorum) Assignment(group string) Assignment {
	t, _ := q.parts().newest()
	return Assignment{t.Group(group)}
}

// Len returns the number of shards, 0 if the group does not exist yet.
func (a Assignment) Len() int {
	if a.group == nil {
		return 0
	}
	return a.group.Len()
}

// Owner returns the holder of a shard from 0 to Len-1; it panics for others, as an index does.
func (a Assignment) Owner(shard int) Owner {
	s := a.group.Shard(shard)
	return Owner{Shard: shard, Name: s.Owner, Token: Token(s.Token), Standbys: s.Standby}
}

// All yields the holders of all shards, in their order.
func (a Assignment) All() iter.Seq[Owner] {
	return func(yield func(Owner) bool) {
		for shard := range a.Len() {
			if !yield(a.Owner(shard)) {
				return
			}
		}
	}
}

// Change is one step of [Shards.Watch].
type Change struct {
	Assigned []int // shards that this member holds now and did not before, or under another token, ascending
	Revoked  []int // shards that this member held before and does not now, or under another token, ascending
	Table    Assignment
}

// Watch yields the present assignment of the group, with every shard that this member holds as assigned, and then each newer one that differs,
// until ctx or the quorum ends. A slow reader misses assignments in between, never the newest, and delays nothing. It shows what was decided: a
// call of Work for an assigned shard begins about then, and one for a revoked shard has returned, or its lease is over.
func (s *Shards) Watch(ctx context.Context) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		var last Assignment
		for first := true; ctx.Err() == nil; first = false {
			t, changed := s.newest()
			now := Assignment{t.Group(s.group)}
			if (first || now.group != last.group) && !yield(s.diff(last, now)) {
				return
			}
			last = now
			select {
			case <-changed:
			case <-ctx.Done():
			case <-s.engine.done():
				return
			}
		}
	}
}

// diff compares two assignments from the point of view of this member.
func (s *Shards) diff(before, now Assignment) Change {
	held := func(a Assignment, shard int) Token {
		if shard >= a.Len() || a.Owner(shard).Name != s.name {
			return 0
		}
		return a.Owner(shard).Token
	}
	c := Change{Table: now}
	for shard := range now.Len() {
		was, is := held(before, shard), held(now, shard)
		if was != is && was != 0 {
			c.Revoked = append(c.Revoked, shard)
		}
		if was != is && is != 0 {
			c.Assigned = append(c.Assigned, shard)
		}
	}
	return c
}

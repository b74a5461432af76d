package core

import (
	"maps"
	"slices"
	"time"
)

// mergeRest is how long a voter stays after its birth is over, for members that ask.
const mergeRest = 4 * openEvery

// merge is how this birth ends because its members join an older one.
//
// A member that learns of an older birth reports it to the leader, and the leader has the log end this birth: from that entry on no shard is
// granted and no session opened. Every member stops its functions, and ends its session when all of them have returned. The birth is over
// when no session is left: then no member acts under it, and none ever will. A member that joined before could be granted in the older
// birth what another one still acts on in this one. Voters see the end in their logs, and stay a while for the others to ask; a
// member that was cut off meanwhile is answered later by any that was there.
type merge struct {
	asked Birth         // an older birth that the shell named
	into  Birth         // the log, or another member, ended this birth for it
	over  bool          // no session is left
	since time.Duration // of Now.Running: when that was learned
	done  bool          // BirthEnded was reported
}

// endBirth takes the wish to join an older birth. The leader learns of it with the next renewal.
func (m *member) endBirth(c *Core, older Birth) {
	if older == 0 || older >= c.birth || m.merge.asked != 0 && m.merge.asked <= older {
		return
	}
	m.merge.asked = older
	m.soon(c)
}

// birthOver takes the message of another member that this birth is over.
func (m *member) birthOver(c *Core, f *EndedFrame) {
	if f.Into == 0 || f.Into >= c.birth {
		return
	}
	m.merge.into = f.Into
	m.isOver(c)
}

func (m *member) isOver(c *Core) {
	if !m.merge.over {
		m.merge.over, m.merge.since = true, c.now.Running
	}
}

// mergeDue takes the next step of the end of this birth.
func (m *member) mergeDue(c *Core) {
	table := m.table
	if c.raft != nil && c.raft.state.table.index > table.index {
		table = c.raft.state.table // without a session no table is streamed to it
	}
	if m.merge.into == 0 {
		m.merge.into = table.into
	}
	if m.merge.into == 0 || m.merge.done {
		return
	}
	m.stopAll(c)
	if table.over() || c.mutant.joinEarly {
		m.isOver(c)
	}
	if len(m.works) > 0 {
		return
	}
	if m.session != 0 && !m.ending {
		m.ending = true
		m.soon(c)
	}
	if m.mayJoin(c) {
		m.merge.done = true
		c.emit(BirthEnded{Birth: c.birth, Into: m.merge.into})
	}
}

// stopAll ends the contexts of all functions; what they held is released as they return.
func (m *member) stopAll(c *Core) {
	m.endStandby(c)
	for _, k := range slices.SortedFunc(maps.Keys(m.works), compareShards) {
		if w := m.works[k]; !w.stopping {
			w.stopping = true
			c.emit(Stop{Group: w.group, Shard: k.shard, Token: w.token})
		}
	}
}

// mayJoin reports whether this member may leave this birth: it is over, and if the member is a voter, it has been for a while.
func (m *member) mayJoin(c *Core) bool {
	if c.mutant.joinEarly {
		return true
	}
	votes := c.raft != nil && confVotes(c.raft.conf, c.cfg.ID)
	return m.merge.over && m.session == 0 && (!votes || c.now.Running-m.merge.since >= mergeRest)
}

// isOverFor answers a member of a birth that is over, which is this one or the one that this member came from. It reports whether it did.
func (c *Core) isOverFor(from string, b Birth) bool {
	f := &EndedFrame{Birth: b}
	switch {
	case b == c.cameFrom && b != 0:
		f.Into = c.birth
	case b == c.birth && c.member.merge.over && from != c.cfg.Name:
		f.Into = c.member.merge.into
	default:
		return false
	}
	c.send(from, f)
	return true
}

// over reports whether this birth has ended and no session is left. Once it is true it stays so, since none is opened.
func (t *Table) over() bool { return t.into != 0 && len(t.order) == 0 }

// endFor ends this birth for an older one.
func (t *Table) endFor(older Birth) {
	if t.into == 0 && older < t.birth {
		t.into = older
	}
}

// raise has all tokens from now on be greater than those of another birth, whose members join this one: stores have seen them.
func (t *Table) raise(b Birth) {
	if order := b.Order() + 1; order < 1<<24 {
		t.era = max(t.era, order)
	}
}

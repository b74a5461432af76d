package core

import (
	"maps"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
)

// Bounds of what waits at a leader.
const (
	maxReads  = 4096
	maxWrites = 4096
)

// leader is the state of a voter while it leads. All of it may be lost at any time: what matters is in the log.
type leader struct {
	term  uint64
	since time.Duration // when it was elected, or ran again after a pause
	ready bool          // an entry of this term is applied: everything committed before is too

	heard  map[uint64]time.Duration // when the last renewal of a session came
	ending map[uint64]bool          // sessions that it decided to end: no renewal of theirs is answered any more

	table      []op // to be proposed
	writes     []write
	directives []write    // of operators, on the table
	proposals  []proposal // in the log and not applied, in its order
	proposed   map[opKey]bool

	renewals []renewal // that wait for a round
	reads    []read
	round    round

	watches   []watch
	mapSeen   uint64 // the version of the map at which they were last answered
	watchesAt time.Duration

	streams map[uint64]*tableStream
	stale   bool // some stream may be behind
	assign  assigner
	moving  map[shardKey]*handover
	absent  map[string]*absence // by the name of the member
	dirty   bool                // what the assignment depends on has changed

	expireAt, votersAt, changeUntil, movingAt time.Duration
	snapshots                                 map[uint64]time.Duration // since when a voter's snapshot is not acknowledged
	lostSnapshots                             []uint64
}

// leadershipChanged follows raft: this voter leads, ceased to, or follows another voter.
func (c *Core) leadershipChanged() {
	status := c.raft.node.BasicStatus()
	leads := status.RaftState == raft.StateLeader
	if status.Lead != 0 {
		c.leaderless = 0
	} else if c.leaderless == 0 {
		c.leaderless = max(c.now.Running, 1)
	}
	if c.lead != nil && (!leads || c.lead.term != status.GetTerm()) {
		c.lead.end(c)
		c.lead = nil
		c.emit(Leading{})
	}
	switch {
	case leads && c.lead == nil:
		c.lead = newLeader(status.GetTerm(), c.now.Running)
		c.raft.readAsked = 0
		c.tickAt = c.now.Running + tick
		c.emit(Leading{Term: c.lead.term})
	case !leads && status.Lead != 0:
		c.election.reset(c)
	}
}

func newLeader(term uint64, now time.Duration) *leader {
	return &leader{term: term, since: now, heard: map[uint64]time.Duration{}, ending: map[uint64]bool{}, proposed: map[opKey]bool{}, moving: map[shardKey]*handover{}, absent: map[string]*absence{},
		streams: map[uint64]*tableStream{}, snapshots: map[uint64]time.Duration{}, assign: newAssigner(), dirty: true, stale: true}
}

// end answers what waits. A write that is in the log may still be committed by the next leader.
func (l *leader) end(c *Core) {
	for _, p := range l.proposals {
		for _, r := range p.replies {
			c.send(r.to, &ResponseFrame{Birth: c.birth, ID: r.id, Code: Unknown})
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(l.moving), compareShards) {
		r := l.moving[k].reply
		c.send(r.to, &ResponseFrame{Birth: c.birth, ID: r.id, Code: Unknown})
	}
	for _, w := range append(l.directives, l.writes...) {
		c.refuse(w.reply.to, w.reply.id)
	}
	for _, r := range append(l.reads, l.round.reads...) {
		c.refuse(r.from, r.id)
	}
	for _, w := range l.watches {
		c.refuse(w.from, w.id)
	}
}

// work does what is due.
func (l *leader) work(c *Core) {
	if !l.ready {
		return
	}
	if c.now.Running >= l.expireAt {
		l.expireAt = c.now.Running + tick
		l.expire(c)
	}
	l.tendVoters(c)
	l.endHandovers(c)
	l.planDue(c)
	l.flush(c)
	l.tendRound(c)
	l.tendWatches(c)
	l.streamTable(c)
}

// next returns when work is due again.
func (l *leader) next(c *Core) time.Duration {
	if !l.ready {
		return c.now.Running + tick
	}
	return min(l.expireAt, l.votersAt, l.assign.at)
}

// linkDown notes that frames to a member may be lost: its next renewal names how far its table is.
func (l *leader) linkDown(_ *Core, peer string) {
	l.watches = slices.DeleteFunc(l.watches, func(w watch) bool { return w.from == peer })
	for _, s := range l.streams {
		if s.name == peer {
			s.known = false
		}
	}
}

package core

import (
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// Bounds of what waits at a leader.
const (
	maxReads  = 4096
	maxWrites = 4096
)

// leader is what a voter does and knows while it leads. All of it may be lost at any time: what matters is in the log.
type leader struct {
	term  uint64
	since time.Duration // when it was elected, or ran again after a pause
	ready bool          // an entry of this term is applied: everything committed before is too

	heard  map[uint64]time.Duration // when the last renewal of a session came
	ending map[uint64]bool          // sessions that it decided to end: no renewal of theirs is answered any more

	table     []op // to be proposed
	writes    []write
	proposals []proposal // in the log and not applied, in its order
	proposed  map[opKey]bool

	renewals []renewal // that wait for a round
	reads    []read
	round    round

	streams map[uint64]*tableStream
	stale   bool // some stream may be behind
	assign  assigner
	dirty   bool // what the assignment depends on has changed

	expireAt, votersAt, changeUntil time.Duration
	snapshots                       map[uint64]time.Duration // since when a voter's snapshot is not acknowledged
	lostSnapshots                   []uint64
}

// proposal is an entry that this leader proposed. In a term only its leader proposes, so that the entries of the term are
// applied in the order of its proposals, and none needs a name.
type proposal struct {
	ops     []op
	replies []reply // by operation; only for those of the map
}

// opKey names an operation of the table that must not be proposed twice at a time.
type opKey struct {
	kind                                opKind
	session, group, shard, token, nonce uint64
	name                                string
}

func (o *op) identity() opKey {
	return opKey{o.kind, o.session, o.group, o.shard, o.token, o.nonce, o.name}
}

// leadershipChanged follows raft: this voter leads, ceased to, or follows somebody else.
func (c *Core) leadershipChanged() {
	status := c.raft.node.BasicStatus()
	leads := status.RaftState == raft.StateLeader
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
		c.election.heard(c)
	}
}

func newLeader(term uint64, now time.Duration) *leader {
	return &leader{term: term, since: now, heard: map[uint64]time.Duration{}, ending: map[uint64]bool{}, proposed: map[opKey]bool{},
		streams: map[uint64]*tableStream{}, snapshots: map[uint64]time.Duration{}, assign: newAssigner(), dirty: true, stale: true}
}

// end answers what waits. A write that is in the log may still be committed by the next leader.
func (l *leader) end(c *Core) {
	for _, p := range l.proposals {
		for _, r := range p.replies {
			c.send(r.to, &ResponseFrame{Birth: c.birth, ID: r.id, Code: Unknown})
		}
	}
	for _, w := range l.writes {
		c.refuse(w.reply.to, w.reply.id)
	}
	for _, r := range append(l.reads, l.round.reads...) {
		c.refuse(r.from, r.id)
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
	l.planDue(c)
	l.flush(c)
	l.tendRound(c)
	l.streamTable(c)
}

// next returns when work is due again.
func (l *leader) next(c *Core) time.Duration {
	if !l.ready {
		return c.now.Running + tick
	}
	return min(l.expireAt, l.votersAt, l.assign.at)
}

// queue has an operation of the table proposed, unless it already is.
func (l *leader) queue(o op) bool {
	if l.proposed[o.identity()] {
		return false
	}
	l.proposed[o.identity()] = true
	l.table = append(l.table, o)
	return true
}

// flush proposes what is queued, in entries of bounded size.
func (l *leader) flush(c *Core) {
	for len(l.table) > 0 {
		n, size := 0, 0
		for n < len(l.table) && size < MaxEntry/2 {
			size += len(l.table[n].append(nil)) + 4
			n++
		}
		l.propose(c, proposal{ops: l.table[:n:n]})
		l.table = l.table[n:]
	}
	for len(l.writes) > 0 {
		var p proposal
		n, size := 0, 0
		for n < len(l.writes) && (n == 0 || size+len(l.writes[n].op.value) < MaxEntry/2) {
			size += len(l.writes[n].op.value) + MaxKey
			p.ops, p.replies = append(p.ops, l.writes[n].op), append(p.replies, l.writes[n].reply)
			n++
		}
		l.writes = l.writes[n:]
		l.propose(c, p)
	}
}

func (l *leader) propose(c *Core, p proposal) {
	if err := c.raft.node.Propose(appendEntry(nil, p.ops)); err == nil {
		l.proposals = append(l.proposals, p)
		return
	}
	l.settled(p.ops) // dropped: nothing of it is in the log
	for _, r := range p.replies {
		c.refuse(r.to, r.id)
	}
}

// settled notes that proposals are no longer open, whatever became of them.
func (l *leader) settled(ops []op) {
	for i := range ops {
		if !l.proposed[ops[i].identity()] {
			continue
		}
		delete(l.proposed, ops[i].identity())
		if k := ops[i].kind; k == opGrant || k == opMove || k == opStandby {
			l.assign.open--
		}
	}
}

// applied follows the log.
func (l *leader) applied(c *Core, e *pb.Entry, ops []op, results []outcome) {
	for i := range ops {
		if ops[i].kind == opOpen {
			if s := c.raft.state.table.find(ops[i].name, ops[i].nonce); s != nil {
				l.heard[s.ID] = c.now.Running
				l.assign.quietSince = c.now.Running
			}
		}
	}
	if len(ops) > 0 && !ops[0].kind.ofMap() {
		l.dirty, l.stale = true, true
	}
	switch {
	case e.GetTerm() != l.term:
	case len(e.GetData()) == 0:
		l.ready = true
	case len(l.proposals) > 0:
		p := l.proposals[0]
		l.proposals = l.proposals[1:]
		l.settled(p.ops)
		for i, r := range p.replies {
			c.send(r.to, &ResponseFrame{Birth: c.birth, ID: r.id, Code: results[i].code, Index: results[i].index})
		}
	}
}

// linkDown forgets how far a member's table is: its next renewal names it.
func (l *leader) linkDown(_ *Core, peer string) {
	for _, s := range l.streams {
		if s.name == peer {
			s.known = false
		}
	}
}

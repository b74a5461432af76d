package core

import (
	"encoding/binary"
	"slices"

	"go.etcd.io/raft/v3"
)

// renewal is a renewal that waits for a round.
type renewal struct {
	from  string
	frame *RenewFrame
}

// read is a read of the map that waits for a round.
type read struct {
	from string
	id   uint64
	key  string
}

// round is one round of messages with a quorum: once it is over, this voter still led when it began.
type round struct {
	number   uint64 // of the last one begun; 0: none
	open     bool
	index    uint64 // 0: not over; else what must be applied before it is used
	renewals []renewal
	reads    []read
}

// renew takes a renewal. Only a leader after a round of messages that began now may answer it; see the package comment.
func (c *Core) renew(from string, f *RenewFrame) {
	l := c.lead
	if isOver := c.isOverFor(from, c.birth); l == nil {
		if !isOver {
			c.notLeader(from, 0)
		}
		return
	}
	t := c.raft.state.table
	l.reportBirths(c, t, f)
	s := t.sessions[f.Session]
	if f.Session == 0 {
		s = t.find(from, f.Nonce)
	}
	if s != nil && s.Name != from {
		return
	}
	if s != nil {
		l.heard[s.ID] = c.now.Running
		l.report(c, s, f)
	} else if f.Session == 0 && t.into == 0 {
		l.queue(op{kind: opOpen, name: from, nonce: f.Nonce, zone: f.Zone, session: f.Replaces})
	}
	if i := slices.IndexFunc(l.renewals, func(r renewal) bool { return r.from == from }); i >= 0 {
		l.renewals[i].frame = f
	} else if len(l.renewals) < MaxSessions {
		l.renewals = append(l.renewals, renewal{from, f})
	}
	if c.mutant.noRound {
		l.answer(c, l.renewals)
		l.renewals = nil
	}
}

// report takes what a member reports beside.
func (l *leader) report(c *Core, s *Session, f *RenewFrame) {
	l.follow(c, s, f)
	t := c.raft.state.table
	for _, h := range f.Releases {
		_, shard := t.shard(h.Group, uint64(h.Shard))
		if shard != nil && shard.Holder == s.ID && shard.Token == h.Token {
			l.queue(op{kind: opRelease, group: h.Group, shard: uint64(h.Shard), token: uint64(h.Token)})
		}
	}
	for _, g := range f.Serves {
		l.reportServe(t, s, g)
	}
	if f.Drain && !s.Draining {
		l.queue(op{kind: opDrain, session: s.ID})
	}
	if f.End {
		l.ending[s.ID] = true
		l.queue(op{kind: opEnd, session: s.ID})
	}
}

// reportBirths takes what a member knows of other births. A token of the one that it came from must not be greater than any that it gets here,
// so this goes to the log before its session does.
func (l *leader) reportBirths(c *Core, t *Table, f *RenewFrame) {
	if f.CameFrom != 0 && !c.mutant.noRaise && f.CameFrom.Order() >= t.era && f.CameFrom.Order() < 1<<24-1 {
		l.queue(op{kind: opRaise, token: uint64(f.CameFrom)})
	}
	if f.Older != 0 && f.Older < t.birth && t.into == 0 {
		l.queue(op{kind: opEndBirth, token: uint64(f.Older)})
	}
}

func (l *leader) reportServe(t *Table, s *Session, want GroupSettings) {
	g := t.byName[want.Name]
	have := g.asked(s.ID)
	switch {
	case want.Weight == 0 && have.Weight != 0:
		l.queue(op{kind: opRetire, session: s.ID, group: g.ID})
	case want.Weight > 0 && (have.Weight != want.Weight || have.Moves != want.Moves):
		l.queue(op{kind: opServe, session: s.ID, name: want.Name, weight: uint64(want.Weight), shards: uint64(want.Shards),
			level: uint64(want.Level), copies: uint64(want.Copies), returns: uint64(want.Return), moves: uint64(want.Moves)})
	}
}

// tendRound begins a round if something waits for one, and ends it.
func (l *leader) tendRound(c *Core) {
	if r := &l.round; r.open && r.index > 0 && c.raft.applied >= r.index {
		r.open = false
		l.answer(c, r.renewals)
		l.answerReads(c, r.reads)
		r.renewals, r.reads = nil, nil
	}
	if l.round.open || len(l.renewals)+len(l.reads) == 0 {
		return
	}
	l.round = round{number: l.round.number + 1, open: true, renewals: l.renewals, reads: l.reads}
	l.renewals, l.reads = nil, nil
	c.raft.node.ReadIndex(binary.LittleEndian.AppendUint64(nil, l.round.number))
}

// restartRound has an open round begin again, because the voters are others now: a leader that became the only one receives no more responses
// to a round that waits for them.
func (l *leader) restartRound() {
	if r := &l.round; r.open && r.index == 0 {
		l.renewals, l.reads = append(r.renewals, l.renewals...), append(r.reads, l.reads...)
		l.round = round{number: r.number}
	}
}

// roundDone notes that a quorum has confirmed a round.
func (c *Core) roundDone(rs raft.ReadState) {
	if l := c.lead; l != nil && len(rs.RequestCtx) == 8 && leUint64(rs.RequestCtx) == l.round.number {
		l.round.index = max(rs.Index, 1)
	}
}

// answer answers renewals. A session that this leader decided to end is not answered, whether its end is in the log yet or not.
func (l *leader) answer(c *Core, renewals []renewal) {
	t := c.raft.state.table
	for _, r := range renewals {
		s := t.sessions[r.frame.Session]
		if r.frame.Session == 0 {
			s = t.find(r.from, r.frame.Nonce)
		}
		answer := &RenewedFrame{Birth: c.birth, Term: l.term, Session: r.frame.Session, Nonce: r.frame.Nonce, Sent: r.frame.Sent}
		switch {
		case s == nil && r.frame.Session == 0:
			if l.proposed[(&op{kind: opOpen, name: r.from, nonce: r.frame.Nonce, session: r.frame.Replaces}).identity()] {
				l.renewals = append(l.renewals, r) // its session is about to begin
			}
			continue
		case s == nil:
			answer.Gone = true
		case s.Name != r.from:
			continue
		case l.ending[s.ID]:
			l.renewals = append(l.renewals, r) // it is answered once the session has ended
			continue
		default:
			answer.Session = s.ID
			if answer.Drain = r.frame.Drain; answer.Drain {
				answer.Votes, answer.Wait = l.place(c, s.Name)
			}
		}
		c.send(r.from, answer)
	}
}

// notLeader answers what this member cannot do, with the leader it follows.
func (c *Core) notLeader(to string, id uint64) {
	f := &NotLeaderFrame{Birth: c.birth, ID: id}
	if c.raft != nil {
		lead, term := c.raft.lead()
		f.Term = term
		if lead != 0 && lead != c.cfg.ID {
			f.Leader = c.voterName(lead)
		}
	}
	c.send(to, f)
}

// refuse answers a request that had no effect.
func (c *Core) refuse(to string, id uint64) { c.notLeader(to, id) }

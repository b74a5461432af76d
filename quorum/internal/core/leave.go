package core

import "time"

// leave is an orderly leave: the member gives up its shards, and if it is a voter, first leadership and then its vote.
type leave struct {
	begun bool
	over  bool
	until time.Duration // of Now.Running: it leaves then at the latest
	votes bool          // it is a voter or learner, or may be: the leader has not answered yet
	wait  bool          // another member can take its place, so that it is worth waiting
}

// leave begins an orderly leave.
func (m *member) leave(c *Core, timeout time.Duration) {
	if m.leaving.begun {
		return
	}
	votes := c.raft != nil || m.session != 0 // its own log may lag behind
	m.leaving = leave{begun: true, until: c.now.Running + timeout, votes: votes, wait: votes}
	m.drain(c)
}

// answered takes the part of the answer to a renewal that concerns a leaving member.
func (l *leave) answered(f *RenewedFrame) {
	if l.begun && f.Drain {
		l.votes, l.wait = f.Votes, f.Wait
	}
}

// waits reports whether a leaving member keeps its session, because it is a voter that the leader is about to replace. The leader takes a
// session that drains for the wish to be replaced.
func (l *leave) waits(c *Core) bool { return l.begun && l.votes && l.wait && c.now.Running < l.until }

// leaveDue reports the end of a leave: everything is handed over, or the time is over.
func (m *member) leaveDue(c *Core) {
	l := &m.leaving
	if !l.begun || l.over || !m.ended && c.now.Running < l.until {
		return
	}
	l.over = true
	c.emit(Left{Voter: l.votes && c.raft != nil, Shards: len(m.works)})
}

// place returns what a leaving member must know of its part in the log: whether it has one, and whether the leader can end that, by handing
// over leadership or by replacing it.
func (l *leader) place(c *Core, name string) (votes, wait bool) {
	conf := c.raft.conf
	for id := range c.raft.state.voters {
		if c.voterName(id) == name && confHas(conf, id) {
			votes = true
		}
	}
	switch {
	case !votes:
		return false, false
	case name == c.cfg.Name && c.successor("") != 0, len(conf.GetLearners())+len(conf.GetVotersOutgoing()) > 0:
		return true, true
	}
	return true, len(c.candidates(0)) > 0
}

package core

import "slices"

// found takes the birth. The first voters begin their log, all other members wait for the leader.
func (c *Core) found(in Found) {
	if c.birth != 0 || in.Birth == 0 {
		return
	}
	c.birth, c.cameFrom = in.Birth, in.CameFrom
	c.member.table = newTable(c.birth)
	c.noteBirths(nil)
	c.member.viewed(c)
	first := c.cfg.ID != 0 && slices.ContainsFunc(in.Voters, func(v Voter) bool { return v.ID == c.cfg.ID })
	if !first {
		c.persist(Persist{Birth: in.Birth, CameFrom: in.CameFrom}, pending{})
		return
	}
	log := firstLog(in.Birth, in.Voters)
	c.persist(Persist{Birth: in.Birth, CameFrom: in.CameFrom, Hard: log.Hard, Snapshot: log.Snapshot, Reset: true}, pending{start: log})
}

// startRaft begins this member's part in the log.
func (c *Core) startRaft(d Saved) {
	r, err := c.newRaft(d)
	must(err)
	c.raft, c.leaderless = r, max(c.now.Running, 1)
	if d.Snapshot != nil {
		c.firstSnapshot = d.Snapshot
		c.election.start(c)
	} else {
		c.election.reset(c)
	}
}

// received takes a frame. Members of another birth are reported and get no answer.
func (c *Core) received(from string, f Frame) {
	if f.birth() != c.birth || c.birth == 0 {
		if _, renews := f.(*RenewFrame); renews && c.isOverFor(from, f.birth()) {
			return
		}
		if c.birth != 0 {
			c.emit(OtherBirth{Peer: from, Birth: f.birth()})
		}
		return
	}
	switch f := f.(type) {
	case *RaftFrame:
		c.receiveRaft(from, f)
	case *RenewFrame:
		c.renew(from, f)
	case *RequestFrame:
		c.serveRequest(from, f)
	case *RenewedFrame:
		c.member.renewed(c, from, f)
	case *RevokeFrame:
		c.member.revoked(c, f)
	case *TableFrame:
		c.member.learn(c, from, f)
	case *ResponseFrame:
		c.member.response(c, f)
	case *EndedFrame:
		c.member.birthOver(c, f)
	case *NotLeaderFrame:
		c.member.notLeader(c, from, f)
	}
}

// linkDown notes that frames to a peer were lost.
func (c *Core) linkDown(peer string) {
	if c.raft != nil {
		c.unreachable(peer)
	}
	if c.lead != nil {
		c.lead.linkDown(c, peer)
	}
	c.member.linkDown(c, peer)
}

// Table returns the table as this member last learned it, which is some time behind the leader's. It changes with the next Step.
func (c *Core) Table() *Table { return c.member.table }

// Snapshot returns the table as [Core.Table] has it now, as a value that never changes. It is made from the last one by what changed since,
// and is the last one if nothing did.
func (c *Core) Snapshot() *TableView { return c.member.views.view(c.member.table, c.member.heard) }

// Session returns the session of this member, 0 while there is none.
func (c *Core) Session() uint64 { return c.member.session }

// Birth returns the birth that this member belongs to, 0 while there is none.
func (c *Core) Birth() Birth { return c.birth }

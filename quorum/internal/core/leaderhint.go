package core

import (
	"maps"
	"slices"
)

// target returns the leader, or while none answers one voter after the other.
func (m *member) target(c *Core) string {
	if m.leader != "" && m.failures < maxFailures {
		return m.leader
	}
	var names []string
	if c.raft != nil {
		for _, id := range c.raft.conf.GetVoters() {
			names = append(names, c.voterName(id))
		}
	}
	for _, name := range c.view.order {
		if s := c.view.members[name]; s.Voter != 0 && c.mine(s) && !c.view.down(name) {
			names = append(names, name)
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	if len(names) == 0 {
		names = c.view.foreign(c) // one of them may have been of this birth, and know that it is over
	}
	if len(names) == 0 {
		return m.leader
	}
	m.tries++
	m.term = 0 // whatever was known of a leader did not help
	return names[m.tries%len(names)]
}

// follow takes up who leads. What is known of a later term stands. A write that an earlier leader has ends: that leader may be silent for as long
// as its host is, and what became of the write is known to no one before it is sent again.
func (m *member) follow(c *Core, leader string, term uint64) {
	if leader == "" || term < m.term || leader == m.leader && term == m.term {
		return
	}
	m.leader, m.term, m.failures = leader, term, 0
	m.soon(c)
	for _, id := range slices.Sorted(maps.Keys(m.requests)) {
		r := m.requests[id]
		if !r.sent || r.repeats() {
			r.at = c.now.Running
		} else if r.to != leader {
			m.lostRequest(c, r)
		}
	}
}

// hear notes that the leader sent something.
func (m *member) hear(c *Core, from string) {
	if from == m.leader {
		m.heard = c.now.Running
	}
}

// followRaft takes up the leader that this voter follows.
func (m *member) followRaft(c *Core) {
	if c.raft == nil {
		return
	}
	if id, term := c.raft.lead(); id == c.cfg.ID {
		m.follow(c, c.cfg.Name, term)
	} else if id != 0 {
		m.follow(c, c.voterName(id), term)
	}
}

// viewed takes up the leader that the view shows.
func (m *member) viewed(c *Core) {
	name, term := c.view.leader(c)
	m.follow(c, name, term)
}

// notLeader takes the answer of one that does not lead.
func (m *member) notLeader(c *Core, from string, f *NotLeaderFrame) {
	if m.leader == from {
		m.failures = maxFailures
	}
	m.follow(c, f.Leader, f.Term)
	if r := m.requests[f.ID]; r != nil && r.to == from {
		r.sent, r.at = false, c.now.Running+requestEvery
	}
}

func (m *member) linkDown(c *Core, peer string) {
	if peer == m.leader && m.failures == 0 {
		m.failures = 1
	}
	for _, id := range slices.Sorted(maps.Keys(m.requests)) {
		if r := m.requests[id]; r.sent && r.to == peer {
			m.lostRequest(c, r)
		}
	}
}

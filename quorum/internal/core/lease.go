package core

import "time"

// renewed takes the answer to a renewal: the member may act until the lease after the moment at which it sent it. When the answer came
// does not matter, so a slow network or leader only shortens what is left.
func (m *member) renewed(c *Core, from string, f *RenewedFrame) {
	if f.Nonce != m.nonce || f.Session == 0 {
		return
	}
	m.failures = 0
	m.follow(c, from, f.Term)
	m.hear(c, from)
	if f.Gone {
		if f.Session == m.session {
			m.lose(c)
		}
		return
	}
	until := time.Duration(f.Sent) + c.cfg.Lease
	if f.Sent > uint64(c.now.Lease) || until <= c.now.Lease || m.ended {
		return
	}
	m.leaving.answered(f)
	first := m.session == 0
	m.session = f.Session
	if first {
		m.replaces = 0
		m.renewAt = min(m.renewAt, c.now.Running+c.cfg.renewal())
	}
	if until > m.until {
		m.until = until
		c.emit(Lease{Session: m.session, Until: until})
	}
	if first {
		m.soon(c) // what was held back until there is a session: groups, table
		m.beginAll(c)
	}
}

// leaseDue gives up the session once its lease is over, before the leader does. A renewal that is answered later is void,
// since the leader may have ended the session by then.
func (m *member) leaseDue(c *Core) {
	if m.session != 0 && c.now.Lease >= m.until {
		m.lose(c)
	}
}

// lose ends the session on this side and everything that rests on it. The next session takes the place of this one
// at once, if the functions return before the next attempt to open it: then the leader need not wait for the lease.
func (m *member) lose(c *Core) {
	c.emit(Lost{Session: m.session})
	for _, k := range m.held() {
		w := m.works[k]
		if !w.lost {
			w.stopping, w.lost = true, true
			c.emit(Stop{Group: w.group, Shard: k.shard, Token: w.token, Lost: true})
		}
	}
	m.endStandby(c)
	m.replaces, m.session, m.until = m.session, 0, 0
	m.nonce = m.rng.Uint64()
	m.ending = false
	clear(m.releases)
	clear(m.seen)
	m.soon(c)
	if len(m.works) > 0 {
		m.renewAt += openEvery
	}
}

// drain has the member give up all shards.
func (m *member) drain(c *Core) {
	m.draining = true
	m.soon(c)
}

// empty reports whether a draining member can end its session: the leader gives it nothing more, and it holds nothing. A
// drained member that kept its session would be given shards when it is dead already.
func (m *member) empty(c *Core) bool {
	s := m.table.sessions[m.session]
	if !m.draining || m.leaving.waits(c) || s == nil || !s.Draining || len(m.works) > 0 {
		return false
	}
	for _, g := range m.table.groups {
		if g.held[m.session] > 0 {
			return false
		}
	}
	return true
}

// drainDue ends the session of a drained member, and the drain with it.
func (m *member) drainDue(c *Core) {
	if !m.draining {
		return
	}
	if !m.ending && m.empty(c) {
		m.ending = true
		m.soon(c)
	}
	if !m.ended && m.session == 0 && len(m.works) == 0 && !m.leaving.waits(c) {
		m.ended = true
		c.emit(Drained{})
	}
}

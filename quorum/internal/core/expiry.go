package core

import "time"

// expire ends the sessions whose leases are certainly over: by this leader's clock the longest lease has passed since the
// last renewal that it received, and since it was elected, as the leader before may have prolonged any lease until then.
//
// From the moment of the decision no renewal of the session is answered, though the entry that ends it is not committed yet.
// The mark belongs to the session, so the member's next one does not inherit it.
func (l *leader) expire(c *Core) {
	t := c.raft.state.table
	for _, id := range t.order {
		if l.ending[id] || c.now.Running-l.lastSign(c, id) > c.cfg.expiry() {
			l.ending[id] = true
			l.queue(op{kind: opEnd, session: id})
		}
	}
	for id := range l.ending {
		if t.sessions[id] == nil {
			delete(l.ending, id)
		}
	}
	for id := range l.heard {
		if t.sessions[id] == nil {
			delete(l.heard, id)
			delete(l.streams, id)
			l.assign.quietSince = c.now.Running
		}
	}
}

// lastSign returns the latest time at which a session's lease may have begun.
func (l *leader) lastSign(c *Core, session uint64) time.Duration {
	at, ok := l.heard[session]
	if c.mutant.noWait {
		if !ok {
			return c.now.Running - time.Hour
		}
		return at
	}
	return max(at, l.since)
}

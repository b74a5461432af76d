package core

import (
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// answers reports whether a voter has sent something lately.
func (c *Core) answers(id uint64) bool {
	at, ok := c.heard[id]
	return id == c.cfg.ID || ok && c.now.Running-at < lately
}

// hasLog reports whether a learner has all but a few entries.
func (c *Core) hasLog(id uint64) bool {
	ok := false
	c.raft.node.WithProgress(func(n uint64, _ raft.ProgressType, p tracker.Progress) {
		if n == id {
			ok = p.State == tracker.StateReplicate && p.Match+closeBehind >= c.raft.last && c.answers(id)
		}
	})
	return ok
}

// giveUpSnapshots has raft send a snapshot again that was not acknowledged for long.
func (c *Core) giveUpSnapshots(l *leader) {
	c.raft.node.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		switch since, waiting := l.snapshots[id]; {
		case p.State != tracker.StateSnapshot:
			delete(l.snapshots, id)
		case !waiting:
			l.snapshots[id] = c.now.Running
		case c.now.Running-since > changeTimeout:
			l.lostSnapshots = append(l.lostSnapshots, id)
			delete(l.snapshots, id)
		}
	})
	for _, id := range l.lostSnapshots {
		c.raft.node.ReportSnapshot(id, raft.SnapshotFailure)
	}
	l.lostSnapshots = nil
}

// unreachable has raft probe a voter again, since what was sent may be lost.
func (c *Core) unreachable(peer string) {
	for _, list := range [][]uint64{c.raft.conf.GetVoters(), c.raft.conf.GetVotersOutgoing(), c.raft.conf.GetLearners()} {
		for _, id := range list {
			if id != c.cfg.ID && c.voterName(id) == peer {
				c.raft.node.ReportUnreachable(id)
				c.raft.node.ReportSnapshot(id, raft.SnapshotFailure)
			}
		}
	}
}

// transfer hands leadership to a voter that answers, by name; "" to the one with the most entries. It reports whether there is one.
func (c *Core) transfer(name string) bool {
	if c.lead == nil {
		return false
	}
	to := c.successor(name)
	if to != 0 {
		c.raft.node.TransferLeader(to)
	}
	return to != 0
}

// successor returns the voter that leadership goes to, 0 if there is none.
func (c *Core) successor(name string) uint64 {
	var to, most uint64
	c.raft.node.WithProgress(func(id uint64, kind raft.ProgressType, p tracker.Progress) {
		fits := name == "" && !c.unfit(id) || name != "" && c.voterName(id) == name
		if kind == raft.ProgressTypePeer && id != c.cfg.ID && fits && c.answers(id) && p.Match >= most {
			to, most = id, p.Match
		}
	})
	return to
}

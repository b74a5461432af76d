package core

import (
	"slices"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Bounds of a change of voters.
const (
	votersEvery   = 200 * time.Millisecond
	changeTimeout = 5 * time.Second         // a proposal, or a snapshot, that has no effect for so long is given up
	lately        = 1500 * time.Millisecond // a voter counts as answering that sent something within this
	closeBehind   = 64                      // entries that a learner may lack when it becomes a voter
)

// tendVoters has the voters be as many as wanted, and fit ones: one change at a time, newcomers as learners first, and each
// swap in one joint change. There are never fewer voters because some are down; what a minority of them is replaced by
// needs the majority that remains.
func (l *leader) tendVoters(c *Core) {
	if !l.ready || c.now.Running < l.votersAt {
		return
	}
	l.votersAt = c.now.Running + votersEvery
	c.giveUpSnapshots(l)
	conf := c.raft.conf
	if !c.mutant.twoChanges && (len(conf.GetVotersOutgoing()) > 0 || c.now.Running < l.changeUntil) {
		return
	}
	unfit := slices.IndexFunc(conf.GetVoters(), func(id uint64) bool { return id != c.cfg.ID && c.unfit(id) })
	for _, id := range conf.GetLearners() {
		if c.unfit(id) || len(conf.GetVoters()) >= c.cfg.Voters && unfit < 0 && !c.unfit(c.cfg.ID) {
			l.change(c, "", single(pb.ConfChangeRemoveNode, id))
			return
		}
	}
	switch {
	case len(conf.GetVoters()) > c.cfg.Voters:
		if unfit < 0 && c.unfit(c.cfg.ID) {
			c.transfer("")
			return
		}
		if unfit < 0 {
			unfit = slices.IndexFunc(conf.GetVoters(), func(id uint64) bool { return id != c.cfg.ID })
		}
		l.replace(c, conf.GetVoters()[unfit], 0)
	case len(conf.GetVoters()) < c.cfg.Voters:
		l.promote(c, 0)
	case unfit >= 0:
		l.promote(c, conf.GetVoters()[unfit])
	case c.unfit(c.cfg.ID) && len(conf.GetVoters()) == 1:
		// Not in one swap: with entries that only this one has, it would refuse its vote to the new one, which could need it.
		l.promote(c, 0)
	case c.unfit(c.cfg.ID):
		c.transfer("") // it is for the next leader to replace this one
	}
}

// promote makes a member a learner, or a learner that has the log a voter, in the place of another one if out is not 0.
func (l *leader) promote(c *Core, out uint64) {
	if learners := c.raft.conf.GetLearners(); len(learners) > 0 {
		if c.hasLog(learners[0]) {
			l.replace(c, out, learners[0])
		}
		return
	}
	if m := c.candidate(); m != nil {
		l.change(c, m.Name, single(pb.ConfChangeAddLearnerNode, m.Voter))
	}
}

// replace swaps two voters in one step; either may be 0. Most of the voters after it must have answered this leader lately, or the
// change could be the last one that commits.
func (l *leader) replace(c *Core, out, in uint64) {
	after := slices.DeleteFunc(slices.Clone(c.raft.conf.GetVoters()), func(id uint64) bool { return id == out })
	var changes []*pb.ConfChangeSingle
	if in != 0 {
		after = append(after, in)
		changes = append(changes, single(pb.ConfChangeAddNode, in))
	}
	if out != 0 {
		changes = append(changes, single(pb.ConfChangeRemoveNode, out))
	}
	answered := 0
	for _, id := range after {
		if c.answers(id) {
			answered++
		}
	}
	if 2*answered > len(after) {
		l.change(c, c.voterName(in), changes...)
	}
}

// change proposes a change of voters; name is that of the one which comes.
func (l *leader) change(c *Core, name string, changes ...*pb.ConfChangeSingle) {
	cc := &pb.ConfChangeV2{Changes: changes}
	if name != "" {
		cc.Context = appendText(appendNumber(nil, 1, changes[0].GetNodeId()), 2, name)
	}
	if err := c.raft.node.ProposeConfChange(cc); err == nil {
		l.changeUntil = c.now.Running + changeTimeout
	}
}

func single(t pb.ConfChangeType, id uint64) *pb.ConfChangeSingle {
	return &pb.ConfChangeSingle{Type: t.Enum(), NodeId: new(id)}
}

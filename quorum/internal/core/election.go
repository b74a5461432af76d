package core

import (
	"time"

	"go.etcd.io/raft/v3"
)

// election decides when this voter campaigns.
//
// Followers never tick raft. Its own election timer draws from crypto/rand, so that no run could be repeated, and cannot use the
// verdicts of the membership core. Instead a voter that receives nothing from its leader for one to two times 500 ms, or whose
// membership core judges the leader down, calls ForgetLeader and Campaign. The leader itself ticks: heartbeats, and a check
// that a quorum answers. A wrong verdict costs an election and disturbs no holder, since leases outlive leaders; so the timer may be short.
//
// A member that is not a voter by its own log runs the timer too, though it cannot campaign: it must give up a dead leader, or it
// would refuse its vote to the candidate that could make it a voter (a follower with a leader ignores candidates).
type election struct {
	at       time.Duration // of Now.Running
	attempts int           // campaigns since the last message of a leader
	term     uint64        // of the vote this voter is asking for
	since    time.Duration // when it asked first
}

// start begins the timer. The first voters of a birth campaign in turn, so that the first leader is there at once.
func (e *election) start(c *Core) { e.at = c.now.Running + c.turn() }

// reset notes that the leader lives.
func (e *election) reset(c *Core) {
	e.attempts = 0
	e.at = c.now.Running + silence + c.jitter(silence)
}

// verdict brings the campaign forward, because the leader is judged down.
func (e *election) verdict(c *Core) {
	must(c.raft.node.ForgetLeader())
	e.attempts = 0
	e.at = min(e.at, c.now.Running+c.turn())
}

// due campaigns if it is time.
//
// One that lost the first race tries again after 50 ms, not after a whole timeout, which was 0.7 to 0.9 s in the median of lost
// races. A pre-vote may be repeated at any time: answers to the one before count for it. A vote may not, since asking again
// gives up the term: it gets the time that its answers need.
func (e *election) due(c *Core) {
	if c.raft == nil || c.now.Running < e.at {
		return
	}
	r := c.raft
	switch status := r.node.BasicStatus(); {
	case status.RaftState == raft.StateLeader:
		e.reset(c)
		return
	case status.RaftState == raft.StateCandidate && e.term != status.GetTerm():
		e.term, e.since = status.GetTerm(), c.now.Running
		e.at = c.now.Running + campaignAgain
		return
	case status.RaftState == raft.StateCandidate && c.now.Running-e.since < campaignRest:
		e.at = c.now.Running + campaignAgain
		return
	}
	must(r.node.ForgetLeader())
	_ = r.node.Campaign() // refused while a change of voters is not applied
	e.attempts++
	e.at = c.now.Running + campaignAgain + c.jitter(campaignAgain)
	if e.attempts > campaignBurst {
		e.at += campaignRest
	}
}

// jitter returns a random time below d.
func (c *Core) jitter(d time.Duration) time.Duration { return time.Duration(c.rng.Int64N(int64(d))) }

// turn returns when this voter campaigns after an event that all voters see: 15 ms after the one before it by ID. The leader that they
// know is left out.
func (c *Core) turn() time.Duration {
	lead, _ := c.raft.lead()
	place := 0
	for _, id := range c.raft.conf.GetVoters() {
		if id != lead && id < c.cfg.ID {
			place++
		}
	}
	return time.Duration(place) * campaignTurn
}

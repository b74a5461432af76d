package core

import (
	"maps"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// Role is a member's part in the log.
type Role uint8

const (
	// RoleNone: the member has no log. It takes part by its session.
	RoleNone Role = iota
	// RoleLearner: the member receives the log and does not vote, because it is about to become a voter, or was one.
	RoleLearner
	// RoleVoter: the member votes and follows.
	RoleVoter
	// RoleLeader: the member leads, or leads for all that it knows.
	RoleLeader
)

// String returns the role as a word: "none", "learner", "voter" or "leader".
func (r Role) String() string { return [...]string{"none", "learner", "voter", "leader"}[min(r, 3)] }

// Status is what a member knows of its quorum at one moment. It is plain data that the core does not change any more. Times are readings of
// Now.Running, but Until, which is one of Now.Lease.
type Status struct {
	Birth  Birth
	Into   Birth // the older birth that this one ends for, see EndBirth; 0: none
	Role   Role
	Term   uint64 // of the leader, or the greatest known; 0: none
	Leader string // its name, "" if none is known
	Why    Why    // no leader is known

	Voters   []VoterStatus // of the log of this member, by ID; none at a member without a log
	Wanted   int           // how many voters there should be
	Changing bool          // a change of voters is in progress: there is a learner, or a joint configuration
	Commit   uint64        // index of the last entry that is known to be committed; 0 at a member without a log
	Applied  uint64        // index of the last entry applied; 0 at a member without a log

	Session  uint64        // of this member, 0: none
	Until    time.Duration // by Now.Lease: the end of its lease
	Heard    time.Duration // when the leader last sent something to this member; 0: never
	Draining bool          // this member gives up its shards

	Table    uint64          // index of the last entry in the table
	Sessions []SessionStatus // of all members, by ID
	Groups   []GroupStatus   // in the order in which they were made
	Moves    []MoveStatus    // hand-overs that have begun and not ended; known to the leader alone
}

// VoterStatus is one member of the configuration of the log.
type VoterStatus struct {
	ID      uint64
	Name    string // "" if not known
	Learner bool   // it does not vote yet
	Leaving bool   // it votes until the change in progress is over
	Match   uint64 // index up to which it has the log; known to the leader alone
	// Heard is when this member last received something of it, 0 for never. Voters that do not lead exchange nothing with each other except in
	// elections.
	Heard time.Duration
	// Silent is since when it answers nothing, 0 while it answers; known to the leader alone.
	Silent time.Duration
}

// SessionStatus is one session.
type SessionStatus struct {
	ID       uint64
	Name     string // of the member
	Zone     string
	Draining bool
	Old      bool            // the member has a later session: this one ends with its lease
	Serves   []HoldingStatus // by group, in their order
	Heard    time.Duration   // when its last renewal arrived; known to the leader alone
}

// HoldingStatus is the part of a session in a group. Weight is 0 for a member that holds what it has to give up.
type HoldingStatus struct {
	Group  string
	Weight int
	Shards int // that it holds
}

// GroupStatus is one group.
type GroupStatus struct {
	Name    string
	Level   Level
	Copies  int
	Shards  int
	Members int // members that serve it
	Vacant  int // shards without a holder

	Pins     []PinStatus // by shard
	Excluded []string    // names of members that are to hold nothing, in order
}

// PinStatus is a shard that is pinned to a member.
type PinStatus struct {
	Shard  int
	Member string
}

// MoveStatus is a shard that its holder was asked to release.
type MoveStatus struct {
	Group string
	Shard int
	From  string // the holder
	Token Token
	Since time.Duration
}

// Status returns what this member knows. Its cost grows with voters, sessions and groups, not with shards.
func (c *Core) Status() Status {
	m := &c.member
	s := Status{Birth: c.birth, Into: max(m.merge.into, m.table.into), Wanted: c.cfg.Voters,
		Session: m.session, Until: m.until, Heard: m.heard, Draining: m.draining, Table: m.table.index}
	if c.failed {
		s.Why = Why{Reason: Broken}
		return s
	}
	c.leaderStatus(&s)
	if c.raft != nil {
		c.voterStatus(&s)
	}
	s.Why = c.why(&s)
	s.Sessions, s.Groups = m.table.status()
	if c.lead != nil {
		c.lead.status(&s, m.table)
	}
	return s
}

// leaderStatus fills in the leader, as the log has it, or as the session of this member shows it.
func (c *Core) leaderStatus(s *Status) {
	m := &c.member
	if m.leader != "" && m.heard != 0 && c.now.Running-m.heard < c.cfg.Lease {
		s.Leader, s.Term = m.leader, m.term
	}
	if c.raft == nil {
		return
	}
	lead, term := c.raft.lead()
	switch {
	case lead != 0:
		s.Leader, s.Term = c.voterName(lead), term
	case confVotes(c.raft.conf, c.cfg.ID) || term > s.Term:
		s.Leader, s.Term = "", term
	}
}

// voterStatus fills in what a member with a log knows.
func (c *Core) voterStatus(s *Status) {
	r := c.raft
	status := r.node.BasicStatus()
	s.Commit, s.Applied = status.GetCommit(), r.applied
	s.Changing = len(r.conf.GetLearners())+len(r.conf.GetVotersOutgoing()) > 0
	switch {
	case c.lead != nil:
		s.Role = RoleLeader
	case confVotes(r.conf, c.cfg.ID):
		s.Role = RoleVoter
	default:
		s.Role = RoleLearner
	}
	match := map[uint64]uint64{}
	if c.lead != nil {
		r.node.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) { match[id] = p.Match })
	}
	ids := slices.Concat(r.conf.GetVoters(), r.conf.GetVotersOutgoing(), r.conf.GetLearners())
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		v := VoterStatus{ID: id, Name: c.voterName(id), Match: match[id], Heard: c.heard[id]}
		v.Learner = slices.Contains(r.conf.GetLearners(), id)
		v.Leaving = !v.Learner && !slices.Contains(r.conf.GetVoters(), id)
		if id == c.cfg.ID {
			v.Name, v.Heard = c.cfg.Name, c.now.Running
		}
		if c.lead != nil && !c.answers(id) {
			v.Silent = max(v.Heard, c.lead.since)
		}
		s.Voters = append(s.Voters, v)
	}
}

// status returns what the table has of sessions and groups.
func (t *Table) status() ([]SessionStatus, []GroupStatus) {
	var sessions []SessionStatus
	newest := make(map[string]uint64, len(t.order))
	for _, id := range t.order {
		newest[t.sessions[id].Name] = id
	}
	place := make(map[uint64]int, len(t.order))
	for i, id := range t.order {
		s := t.sessions[id]
		place[id] = i
		sessions = append(sessions, SessionStatus{ID: id, Name: s.Name, Zone: s.Zone, Draining: s.Draining, Old: newest[s.Name] != id})
	}
	var groups []GroupStatus
	for _, g := range t.groups {
		vacant := len(g.Shards)
		for _, n := range g.held {
			vacant -= n
		}
		members := 0
		for _, m := range g.Members {
			if i, ok := place[m.Session]; ok && !sessions[i].Old {
				members++
			}
		}
		groups = append(groups, GroupStatus{Name: g.Name, Level: g.Level, Copies: g.Copies, Shards: len(g.Shards), Members: members, Vacant: vacant,
			Pins: g.pinStatus(), Excluded: slices.Sorted(maps.Keys(g.excluded))})
		for id, h := range g.parts() {
			if i, ok := place[id]; ok {
				sessions[i].Serves = append(sessions[i].Serves, h)
			}
		}
	}
	return sessions, groups
}

func (g *Group) pinStatus() []PinStatus {
	var out []PinStatus
	for _, shard := range slices.Sorted(maps.Keys(g.pins)) {
		out = append(out, PinStatus{Shard: shard, Member: g.pins[shard]})
	}
	return out
}

// parts returns the part of each session that serves the group or holds shards of it.
func (g *Group) parts() map[uint64]HoldingStatus {
	out := make(map[uint64]HoldingStatus, len(g.Members))
	for _, m := range g.Members {
		out[m.Session] = HoldingStatus{Group: g.Name, Weight: m.Weight}
	}
	for id, n := range g.held {
		h := out[id]
		h.Group, h.Shards = g.Name, n
		out[id] = h
	}
	return out
}

// status fills in what only a leader knows.
func (l *leader) status(s *Status, t *Table) {
	for i := range s.Sessions {
		s.Sessions[i].Heard = l.heard[s.Sessions[i].ID]
	}
	for _, k := range slices.SortedFunc(maps.Keys(l.assign.revoking), compareShards) {
		r := l.assign.revoking[k]
		if g := t.group(k.group); g != nil {
			s.Moves = append(s.Moves, MoveStatus{Group: g.Name, Shard: k.shard, From: t.memberName(r.session), Token: r.token, Since: r.since})
		}
	}
}

package prom

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/quorum"
)

// maxGroups bounds the groups that have series of their own: programs make groups as they like, as with Lead.
const maxGroups = 16

// otherGroups is the label of all other groups together.
const otherGroups = "(others)"

var (
	quorumRunning  = gauge("quorum_running", "Whether this member's part in the quorum runs without a problem.")
	quorumLeads    = gauge("quorum_is_leader", "Whether this member leads, or leads for all that it knows.")
	quorumLeader   = gauge("quorum_leader_known", "Whether this member knows a leader.")
	quorumHeard    = gauge("quorum_leader_age_seconds", "Time since the leader last sent something to this member. Absent until it has.")
	quorumTerm     = gauge("quorum_term", "Term of the leader.")
	quorumCommit   = gauge("quorum_commit_index", "Index of the last entry of the log that is known to be committed. Absent without a log.")
	quorumLag      = gauge("quorum_apply_lag_entries", "Committed entries that this member has not applied yet. Absent without a log.")
	quorumVoters   = gauge("quorum_voters", "Members of the log by state: those that vote, that receive it only, and, at the leader, voters that do not answer.", "state")
	quorumWanted   = gauge("quorum_voters_wanted", "How many voters there should be.")
	quorumLease    = gauge("quorum_lease_left_seconds", "For how long this member may act without another answer of the leader; 0: it may not.")
	quorumConflict = gauge("quorum_conflict", "Whether this member met members that belong to another quorum of the same cluster.")
	quorumRequests = counter("quorum_requests_total", "Requests of this member that have ended, by what became of them; those that are sent again count again.", "result")
	quorumTime     = histogram("quorum_request_seconds", "Duration of requests of this member.")
	quorumMoves    = gauge("quorum_moves", "Shards that their holders were asked to give up. Known to the leader alone.")
	quorumShards   = gauge("quorum_group_shards", "Shards of a group by state, as this member knows it.", "group", "state")
	quorumHeld     = gauge("quorum_shards_held", "Shards of a group that this member holds.", "group")
)

var quorumFamilies = []*family{quorumRunning, quorumLeads, quorumLeader, quorumHeard, quorumTerm, quorumCommit, quorumLag, quorumVoters, quorumWanted,
	quorumLease, quorumConflict, quorumRequests, quorumTime, quorumMoves, quorumShards, quorumHeld}

// quorumSource is a quorum. Without this interface a program that shows no quorum would link the consensus.
type quorumSource interface {
	Counters() quorum.Counters
	Status(ctx context.Context) (quorum.Status, error)
}

// quorum sends what a member knows of its quorum, nil if there is none.
func (s scrape) quorum(q quorumSource) {
	if q == nil {
		s.is(quorumRunning, false)
		return
	}
	s.requests(q.Counters())
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	status, err := q.Status(ctx)
	s.is(quorumRunning, err == nil && status.Problem == "")
	if err != nil {
		return
	}
	s.log(status)
	s.is(quorumConflict, status.Conflict != "")
	s.put(quorumLease, status.Lease.Seconds())
	if status.Role == "leader" {
		s.put(quorumMoves, float64(len(status.Moves)))
	}
	s.groups(status)
}

// requests sends what became of requests.
func (s scrape) requests(c quorum.Counters) {
	for result, n := range map[string]uint64{
		"ok": c.OK, "conflict": c.Conflict, "no_leader": c.NoLeader, "unknown": c.Unknown, "refused": c.Refused,
	} {
		s.count(quorumRequests, n, result)
	}
	s.times(quorumTime, c.Time)
}

// log sends what is known of leader, voters and log.
func (s scrape) log(status quorum.Status) {
	s.is(quorumLeads, status.Role == "leader")
	s.is(quorumLeader, status.Leader != "")
	if status.Age >= 0 {
		s.put(quorumHeard, status.Age.Seconds())
	}
	s.put(quorumTerm, float64(status.Term))
	s.put(quorumWanted, float64(status.Wanted))
	if len(status.Voters) == 0 {
		return
	}
	s.put(quorumCommit, float64(status.Commit))
	s.put(quorumLag, float64(max(status.Commit, status.Applied)-status.Applied))
	voters := map[string]int{"voting": 0, "learning": 0}
	if status.Role == "leader" {
		voters["silent"] = 0
	}
	for _, v := range status.Voters {
		switch {
		case v.Learner:
			voters["learning"]++
		case v.Silent > time.Duration(0):
			voters["silent"]++
		default:
			voters["voting"]++
		}
	}
	for state, n := range voters {
		s.put(quorumVoters, float64(n), state)
	}
}

// groups sends who has the shards of each group.
func (s scrape) groups(status quorum.Status) {
	held := map[string]int{}
	for _, e := range status.Sessions {
		if e.ID == status.Session && e.ID != 0 {
			held = e.Holds
		}
	}
	rest, mine := quorum.Group{Name: otherGroups}, 0
	shown := map[string]bool{otherGroups: true} // members choose the names: no two may become one label
	for _, g := range status.Groups {
		if label := text(g.Name); len(shown) <= maxGroups && !shown[label] {
			shown[label] = true
			s.group(g, held[g.Name])
			continue
		}
		rest.Shards, rest.Vacant, mine = rest.Shards+g.Shards, rest.Vacant+g.Vacant, mine+held[g.Name]
	}
	if rest.Shards > 0 {
		s.group(rest, mine)
	}
}

func (s scrape) group(g quorum.Group, held int) {
	s.put(quorumShards, float64(g.Shards-g.Vacant), g.Name, "assigned")
	s.put(quorumShards, float64(g.Vacant), g.Name, "unassigned")
	s.put(quorumHeld, float64(held), g.Name)
}

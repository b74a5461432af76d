package command

import (
	"fmt"
	"strings"
	"time"

	"github.com/goconvoke/convoke/ops"
)

// printQuorum prints a status as a table.
func printQuorum(s screen, q ops.QuorumStatus) error {
	t := &statusTable{screen: s}
	row := t.row
	row("leader", leaderOf(q))
	row("term", fmt.Sprint(q.Term))
	row("birth", orNothing(q.Birth))
	for _, text := range []struct{ name, value string }{{"problem", q.Problem}, {"conflict", q.Conflict}} {
		if text.value != "" {
			row(text.name, onOneLine(text.value))
		}
	}
	row("this node", q.Member+": "+roleOf(q))
	if !withoutLog(q) {
		row("log", fmt.Sprintf("%d committed, %d applied, %s", q.Commit, q.Applied, onDisk(q.Disk)))
	}
	heard := "never"
	if q.Age != nil {
		heard = seconds(*q.Age) + " ago"
	}
	row("lease", fmt.Sprintf("%s left, the leader last sent something %s", seconds(q.Lease), heard))
	if withoutLog(q) {
		row("voters", fmt.Sprintf("%d wanted; a voter lists them, this node is not one", q.Wanted))
	} else {
		row("voters", fmt.Sprintf("%d of %d wanted%s", votersOf(q), q.Wanted, changing(q.Changing)))
	}
	for _, v := range q.Voters {
		row("voter "+displayText(v.Name), voterState(v))
	}
	shown := q.Sessions
	if !s.whole && len(shown) > shownNames {
		shown = shown[:shownNames]
	}
	for _, one := range shown {
		row("member "+displayText(one.Member), sessionState(one))
	}
	if more := len(q.Sessions) - len(shown); more > 0 {
		row("", fmt.Sprintf("and %s more (all: -o wide)", countNoun(more, "member", "members")))
	}
	return t.printRows(t.rows)
}

// leaderOf returns who leads, or why there is no leader.
func leaderOf(q ops.QuorumStatus) string {
	if q.Leader == "" {
		return "none: " + onOneLine(q.Why)
	}
	return displayText(q.Leader)
}

// quorumLine sums a status up.
func quorumLine(q ops.QuorumStatus) string {
	vacant, held := 0, 0
	for _, g := range q.Groups {
		vacant, held = vacant+g.Vacant, held+g.Here
	}
	role := fmt.Sprintf("%s, %d of %d voters", roleOf(q), votersOf(q), q.Wanted)
	if withoutLog(q) {
		role = fmt.Sprintf("not one of the %d voters%s", q.Wanted, drainingText(q.Draining))
	}
	text := fmt.Sprintf("%s, %s here, %d without a holder", role, countNoun(held, "shard", "shards"), vacant)
	if q.Problem != "" {
		text += "; " + onOneLine(q.Problem)
	}
	return text
}

// withoutLog reports whether a node takes part in a quorum as one that is not a voter: it has no log, and does not know the voters.
func withoutLog(q ops.QuorumStatus) bool {
	return q.Role == "none" && q.Leader != "" && len(q.Voters) == 0
}

func roleOf(q ops.QuorumStatus) string {
	return q.Role + drainingText(q.Draining)
}

func drainingText(is bool) string {
	if is {
		return ", giving up its shards"
	}
	return ""
}

func onDisk(disk bool) string {
	if disk {
		return "on disk"
	}
	return "in memory: another voter after each start, set node.data_dir"
}

func changing(is bool) string {
	if is {
		return ", one is being replaced"
	}
	return ""
}

// votersOf counts those that vote.
func votersOf(q ops.QuorumStatus) (n int) {
	for _, v := range q.Voters {
		if !v.Learner {
			n++
		}
	}
	return n
}

func voterState(v ops.Voter) string {
	state := []string{v.ID}
	if v.Learner {
		state = append(state, "gets the log and does not vote yet")
	}
	if v.Leaving {
		state = append(state, "is being replaced")
	}
	if v.Match > 0 {
		state = append(state, fmt.Sprintf("has the log up to %d", v.Match))
	}
	if v.Silent > 0 {
		state = append(state, "silent for "+seconds(v.Silent))
	}
	return strings.Join(state, ", ")
}

func sessionState(s ops.Session) string {
	held := 0
	for _, n := range s.Holds {
		held += n
	}
	text := "holds " + countNoun(held, "shard", "shards")
	if s.Zone != "" {
		text += ", zone " + displayText(string(s.Zone))
	}
	if s.Draining {
		text += ", gives them up"
	}
	if s.Old {
		text += ", by an earlier session that ends with its lease"
	}
	return text
}

// seconds writes a number of seconds as a duration.
func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

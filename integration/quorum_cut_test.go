package integration

import (
	"context"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

// notAnswered is what a member that is not a voter states.
const notAnswered = "no voter that this member asked knows a leader"

func TestAHolderWhoseCableIsPulledStopsByItsOwnClock(t *testing.T) {
	q, names := newQuorum(t, 5, quorumlab.Settings{Lease: shortLease})
	cut := without(names, q.settled(names...))[0]
	rest := without(names, cut)
	held := append(q.held(quorumlab.Exclusive, cut), q.held(quorumlab.Fenced, cut)...)
	exclusive := q.held(quorumlab.Exclusive, cut)
	q.Lab.Cable(hostOf(t, cut), false)
	pulled := quorumlab.Now()
	again := q.heldAgain(exclusive) - pulled
	t.Logf("exclusive shards of %s held again %v after its cable was pulled", cut, again.Round(time.Millisecond))
	if again > shortLease+time.Second+lateness {
		t.Errorf("held again after %v, want %v", again, shortLease+time.Second)
	}
	q.settled(rest...)
	q.undisturbed(pulled, cut)
	q.noLeader(cut, "1 of 3 voters can be reached", notAnswered)
	q.stopped(held, pulled+shortLease)
	q.Lab.Cable(hostOf(t, cut), true)
	q.settled(names...)
}

// Three of four nodes are voters, so a side of two leads if two of them are on it; the other side has one at most.
func TestOfAnEvenSplitOneSideAtMostLeadsAndTheOtherStatesWhyNot(t *testing.T) {
	q, names := newQuorum(t, 4, quorumlab.Settings{Lease: shortLease})
	leader := q.settled(names...)
	with := without(q.voters(leader), leader)[0]
	majority := []string{leader, with}
	minority := without(names, majority...)
	held := q.heldBy(minority)
	q.Lab.Partition(q.hosts(majority), q.hosts(minority))
	cut := quorumlab.Now()
	for _, n := range minority {
		q.noLeader(n, "1 of 3 voters can be reached and 2 are needed", notAnswered)
	}
	if now := q.settled(majority...); now != leader {
		t.Errorf("%s leads the majority, want %s still", now, leader)
	}
	q.stopped(held, cut+shortLease)
	q.Lab.Heal()
	q.settled(names...)
}

func TestWhereNoSideHasMostVotersNobodyLeadsAndEachStatesWhy(t *testing.T) {
	q, names := newQuorum(t, 4, quorumlab.Settings{Lease: shortLease})
	leader := q.settled(names...)
	voters := q.voters(leader)
	held := q.heldBy(names)
	q.Lab.Partition(q.hosts(append(without(names, voters...), voters[0])), q.hosts(voters[1:2]), q.hosts(voters[2:3]))
	cut := quorumlab.Now()
	for _, n := range voters {
		q.noLeader(n, "1 of 3 voters can be reached and 2 are needed")
	}
	q.stopped(held, cut+shortLease)
	q.Lab.Heal()
	q.settled(names...)
}

func TestALeaderThatIsHeardAndHearsNothingStepsDown(t *testing.T) {
	q, names := newQuorum(t, 4, quorumlab.Settings{Lease: shortLease})
	leader := q.settled(names...)
	rest := without(names, leader)
	held := append(q.held(quorumlab.Exclusive, leader), q.held(quorumlab.Fenced, leader)...)
	q.Lab.Nft(hostOf(t, leader), "table inet oneway {\n chain in {\n type filter hook input priority 0\n iifname \"eth0\" drop\n }\n}\n")
	cut := quorumlab.Now()
	commit := q.write(rest[0], "without", leader) - cut
	q.settled(rest...)
	q.undisturbed(cut, leader)
	t.Logf("next commit %v after the cut", commit.Round(time.Millisecond))
	q.noLeader(leader, "can be reached")
	q.stopped(held, cut+shortLease)
	q.Lab.Nft(hostOf(t, leader), "delete table inet oneway\n")
	q.settled(names...)
}

// voters returns the names of the voters by the log of one.
func (q *quorumRun) voters(at string) (names []string) {
	q.t.Helper()
	for _, v := range q.nodeStatus(at).Voters {
		names = append(names, v.Name)
	}
	return names
}

// awaitVoters waits until the voters are these nodes, and no change is in progress.
func (q *quorumRun) awaitVoters(names ...string) {
	q.t.Helper()
	q.await("voters", func(ctx context.Context) string { return q.strayVoters(ctx, 3, names) })
}

func (q *quorumRun) heldBy(names []string) (spans []quorumlab.Span) {
	for _, n := range names {
		spans = append(append(spans, q.held(quorumlab.Exclusive, n)...), q.held(quorumlab.Fenced, n)...)
	}
	return spans
}

func (q *quorumRun) hosts(names []string) (hosts []int) {
	for _, n := range names {
		hosts = append(hosts, hostOf(q.t, n))
	}
	return hosts
}

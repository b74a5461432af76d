package integration

import (
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

func TestAKilledLeaderIsFollowedByAnotherAndReturnsAsAFollower(t *testing.T) {
	q, names := newQuorum(t, 5, quorumlab.Settings{Lease: shortLease})
	leader := q.settled(names...)
	rest := without(names, leader)
	q.killAndMeasure(leader, rest, shortLease)
	next := q.settled(rest...)
	q.Restart(leader)
	if now := q.settled(names...); now != next {
		t.Errorf("%s leads after the return of %s, want %s still", now, leader, next)
	}
}

func TestTheShardsOfAKilledHolderAreHeldAgain(t *testing.T) {
	q, names := newQuorum(t, 5, quorumlab.Settings{Lease: shortLease})
	holder := without(names, q.settled(names...))[0]
	q.killAndMeasure(holder, without(names, holder), shortLease)
	q.settled(without(names, holder)...)
}

// killAndMeasure kills a node and checks how long the others need to commit and to hold its shards, and that they keep their own.
func (q *quorumRun) killAndMeasure(name string, rest []string, lease time.Duration) {
	q.t.Helper()
	exclusive, fenced := q.held(quorumlab.Exclusive, name), q.held(quorumlab.Fenced, name)
	killed := q.Kill(name)
	commit := q.write(rest[0], "after", name) - killed
	fencedAgain := q.heldAgain(fenced) - killed
	exclusiveAgain := q.heldAgain(exclusive) - killed
	q.t.Logf("%s killed: next commit after %v, %d fenced shards held again after %v, %d exclusive ones after %v", name,
		commit.Round(time.Millisecond), len(fenced), fencedAgain.Round(time.Millisecond), len(exclusive), exclusiveAgain.Round(time.Millisecond))
	q.undisturbed(killed, name)
	if fencedAgain > fencedWithin+lateness {
		q.t.Errorf("fenced shards were held again after %v, want %v", fencedAgain, fencedWithin)
	}
	if exclusiveAgain > lease+time.Second+lateness {
		q.t.Errorf("exclusive shards were held again after %v, want %v", exclusiveAgain, lease+time.Second)
	}
	for _, again := range q.Spans(quorumlab.Exclusive) {
		for _, s := range exclusive {
			if again.Shard == s.Shard && again.Token > s.Token && again.Begin-s.Last < lease/2 {
				q.t.Errorf("shard %d was held again %v after the last effect of the killed holder: its lease was not waited for", s.Shard, again.Begin-s.Last)
			}
		}
	}
}

func TestAllNodesKilledAtOnceHaveTheirQuorumAgainFromTheirDisks(t *testing.T) {
	q, names := newQuorum(t, 5, quorumlab.Settings{Lease: shortLease})
	q.settled(names...)
	q.write(names[4], "kept", "by the log")
	birth := q.nodeStatus(names[0]).Birth
	greatest := q.greatestTokens()
	q.Kill(names...)
	q.Restart(names...)
	q.settled(names...)
	q.reads(names[1], "kept", "by the log")
	if s := q.nodeStatus(names[2]); s.Birth != birth {
		t.Errorf("birth %q after the restart, want %q", s.Birth, birth)
	}
	for shard, h := range q.Holders(quorumlab.Exclusive) {
		if h.Token < greatest[shard] {
			t.Errorf("shard %d has token %d after the restart, before it %d", shard, h.Token, greatest[shard])
		}
	}
}

func (q *quorumRun) greatestTokens() map[int]uint64 {
	greatest := map[int]uint64{}
	for shard, h := range q.Holders(quorumlab.Exclusive) {
		greatest[shard] = h.Token
	}
	return greatest
}

func TestAVoterThatLostItsDiskIsANewVoter(t *testing.T) {
	q, names := newQuorum(t, 3, quorumlab.Settings{Lease: shortLease, ReplaceAfter: 2 * time.Second})
	leader := q.settled(names...)
	lost := without(names, leader)[0]
	before := q.voterID(leader, lost)
	q.write(leader, "kept", "by the others")
	q.Kill(lost)
	q.Wipe(lost)
	q.Restart(lost)
	q.settled(names...)
	q.reads(lost, "kept", "by the others")
	q.awaitVoters(names...)
	if after := q.voterID(q.settled(names...), lost); after == before {
		t.Errorf("%s is voter %x again with an empty disk, so it could vote twice", lost, after)
	}
}

// voterID returns the identity of a voter by the log of another.
func (q *quorumRun) voterID(at, name string) uint64 {
	q.t.Helper()
	for _, v := range q.nodeStatus(at).Voters {
		if v.Name == name && !v.Leaving {
			return v.ID
		}
	}
	q.t.Fatalf("%s is not a voter by the log of %s", name, at)
	return 0
}

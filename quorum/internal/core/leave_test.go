package core

import (
	"testing"
	"time"
)

// leaves has a node leave and returns how long that took; it fails the test after a bound.
func (s *simulation) leaves(t *testing.T, n *simNode, bound time.Duration) time.Duration {
	t.Helper()
	at := s.w.Now
	n.step(Leave{Timeout: 20 * time.Second})
	if !s.until(bound, func() bool { return n.core.member.leaving.over }) {
		t.Fatalf("%s has not left after %v", n, bound)
	}
	return s.w.Now - at
}

func TestAVoterThatLeavesIsReplacedFirst(t *testing.T) {
	for _, voters := range []int{1, 3, 5} {
		s := begin(t, 7, func(s *simulation) { s.cfg.Voters = voters })
		s.run(2 * time.Second)
		for _, leads := range []bool{true, false} {
			n := s.leader()
			if f := s.follower(); f != nil && !leads {
				n = f
			}
			took := s.leaves(t, n, 3*time.Second)
			t.Logf("%d voters: %s left in %v", voters, n, took)
			if confHas(s.mostAdvanced().core.raft.conf, n.disk.id) || len(n.works) > 0 || n.core.Session() != 0 {
				t.Errorf("%d voters: %s is a voter, or holds %d shards, or has session %d", voters, n, len(n.works), n.core.Session())
			}
			n.crash()
			s.finish(t, 2*time.Second)
			if !s.until(5*time.Second, s.votersFit) {
				t.Errorf("%d voters: the voters are not whole after %s left", voters, n)
			}
		}
	}
}

func TestAVoterThatNoOtherMemberCanReplaceLeavesAtOnce(t *testing.T) {
	s := begin(t, 3, nil)
	s.run(2 * time.Second)
	n := s.leader()
	if took := s.leaves(t, n, 5*time.Second); took > 2*time.Second {
		t.Errorf("it left after %v, want 2s at most: there is nothing to wait for", took)
	}
	l := s.leader()
	if l == n || l == nil || !confHas(l.core.raft.conf, n.disk.id) {
		t.Errorf("%v leads after %s, which must hand over leadership and stay a voter", l, n)
	}
	n.crash()
	s.finish(t, time.Second)
}

func TestALeaveIsBoundedByTime(t *testing.T) {
	s := begin(t, 5, nil)
	s.run(2 * time.Second)
	n := s.follower()
	n.stuck = true
	n.step(Leave{Timeout: 3 * time.Second})
	s.run(2900 * time.Millisecond)
	if n.core.member.leaving.over {
		t.Error("it left though a function runs")
	}
	s.run(200 * time.Millisecond)
	if !n.core.member.leaving.over {
		t.Error("it has not left by its deadline")
	}
	if err := s.err(); err != nil {
		t.Error(err)
	}
}

func TestAMemberWithoutABirthLeavesAtOnce(t *testing.T) {
	s := newSimulation(1, 1)
	s.start()
	n := s.nodes[0]
	n.step(Leave{Timeout: time.Second})
	if !n.core.member.leaving.over {
		t.Error("it waits for a quorum that it is no part of")
	}
}

package core

import (
	"maps"
	"testing"
	"time"
)

// heldBy returns the shards on which a node works.
func (n *simNode) heldBy() map[simKey]bool {
	out := map[simKey]bool{}
	for k := range n.works {
		out[k] = true
	}
	return out
}

func TestAMemberThatReturnsInTimeGetsWhatItHeldAndTheOthersKeepTheirs(t *testing.T) {
	for _, level := range []Level{Exclusive, Fenced} {
		for _, known := range []bool{false, true} { // its next process presents the session of the one before
			s := begin(t, 6, func(s *simulation) {
				s.groups[0].Return, s.groups[0].Level, s.predecessors = 10*time.Second, level, known
			})
			s.run(time.Second)
			n, grants := s.spare(), s.check.grants
			had := n.heldBy()
			n.crash()
			s.run(7 * time.Second) // the lease is 3 s
			if s.check.grants != grants {
				t.Errorf("level %d: %d shards went to others before its time to return was over", level, s.check.grants-grants)
			}
			n.start()
			s.finish(t, time.Second)
			if got := n.heldBy(); !maps.Equal(got, had) || s.check.grants != grants+len(had) {
				t.Errorf("level %d: it holds %v after %d grants, it held %v", level, got, s.check.grants-grants, had)
			}
		}
	}
}

func TestWhatAMemberHeldThatDoesNotReturnInTimeGoesToOthers(t *testing.T) {
	s := begin(t, 6, func(s *simulation) { s.groups[0].Return = 8 * time.Second })
	s.run(time.Second)
	s.spare().crash()
	s.run(7 * time.Second)
	if s.allHeld() {
		t.Error("its shards went to others before")
	}
	s.finish(t, 2*time.Second)
}

func TestAMemberThatLeavesIsNotWaitedFor(t *testing.T) {
	s := begin(t, 6, func(s *simulation) { s.groups[0].Return = time.Minute })
	s.run(time.Second)
	n := s.spare()
	n.step(Drain{})
	s.run(time.Second)
	n.crash()
	s.finish(t, time.Second)
}

func TestAGroupIsRefusedWithAnotherTimeToReturn(t *testing.T) {
	table := sample(t, Exclusive)
	table.apply(5, []op{{kind: opOpen, name: "c", nonce: 9}, {kind: opServe, session: 3, name: "g", weight: 1, shards: 4, copies: 2, returns: 1}})
	if g := table.Group("g"); g.member(3) >= 0 {
		t.Errorf("the group has members %+v", g.Members)
	}
}

func TestMembersThatAllStartAgainShareTheShards(t *testing.T) {
	for _, known := range []bool{false, true} { // their next processes present the sessions of those before
		s := begin(t, 6, func(s *simulation) {
			s.predecessors = known
			s.groups[0].Shards = 24
		})
		s.run(time.Second)
		group := s.groups[0]
		for _, n := range s.nodes {
			n.crash()
		}
		s.run(2 * time.Second)
		s.groups = nil // programs work on it once their clusters have formed, one a bit later than the other
		for _, n := range s.nodes {
			n.start()
		}
		s.run(8 * time.Second)
		s.groups = []GroupSettings{group}
		for _, n := range s.nodes {
			n.step(Serve{group})
			s.run(100 * time.Millisecond)
		}
		s.finish(t, 8*time.Second)
		for _, n := range s.nodes {
			if held := len(n.heldBy()); held > 8 {
				t.Errorf("one of 6 members holds %d of 24 shards", held)
			}
		}
	}
}

package core

import (
	"testing"
	"time"
)

func TestAThousandMembersWithFiveVoters(t *testing.T) {
	if !*large {
		t.Skip("takes twenty seconds: run with -large")
	}
	s := newSimulation(1000, 1)
	s.cfg.Voters = 5
	s.groups[0].Shards = 4096
	s.calm = true
	s.start()
	if !s.until(5*time.Second, s.allHeld) {
		t.Fatal("not all shards are held after 5s")
	}
	t.Logf("all shards are held after %v", s.w.Now)
	most, least := 0, 4096
	for _, n := range s.nodes {
		most, least = max(most, len(n.works)), min(least, len(n.works))
	}
	if most-least > 1 {
		t.Errorf("members hold %d to %d shards, want a difference of 1 at most", least, most)
	}
	old, grants := s.leader(), s.check.grants
	held := len(old.works)
	old.crash()
	at := s.w.Now
	if !s.until(2*time.Second, func() bool { return s.leader() != nil && s.leader().core.lead.ready }) {
		t.Fatal("there is no leader")
	}
	t.Logf("the next leader commits after %v", s.w.Now-at)
	s.finish(t, s.cfg.Lease+time.Second)
	if got := s.check.grants - grants; got > held+10 {
		t.Errorf("%d shards were granted after the leader died, it held %d", got, held)
	}
}

func TestAMemberThatComesAndGoesMovesLittle(t *testing.T) {
	s := begin(t, 5, func(s *simulation) { s.groups[0].Shards = 200 })
	n := s.spare()
	s.run(10 * time.Second)
	before, balance := s.check.grants, 0
	for range 6 {
		held := len(n.works)
		n.crash()
		s.run(5 * time.Second)
		n.start()
		s.run(5 * time.Second)
		balance -= held
	}
	balance += s.check.grants - before
	if most := 2 * 200 / 20; balance > most {
		t.Errorf("%d shards moved for balance in a minute, want at most %d", balance, most)
	}
	s.finish(t, time.Second)
}

package core

import (
	"testing"
	"time"
)

func TestHandOversAtOnceAreTheLeastThatAMemberAsksFor(t *testing.T) {
	s := begin(t, 5, func(s *simulation) { s.groups[0].Shards = 100 })
	n, other := s.spare(), s.follower()
	g := s.groups[0]
	g.Moves = 2
	n.step(Serve{Group: g})
	s.run(20 * time.Second) // its entry is no longer in the log, which keeps 64
	l := s.leader()
	l.crash()
	s.finish(t, s.cfg.Lease+time.Second)
	wantCode(t, s.operate(s.leader(), Exclude{Group: "orders", Member: other.name}), OK)
	most := 0
	gone := func() bool {
		if l := s.leader(); l != nil {
			most = max(most, len(l.core.Status().Moves))
		}
		return len(other.works) == 0
	}
	if !s.until(time.Minute, gone) || most != 2 {
		t.Errorf("%d hand-overs at once, %d shards left; want 2 and none", most, len(other.works))
	}
	n.crash()
	if !s.until(10*time.Second, func() bool { return s.check.model.table.Group("orders").moves() == DefaultMoves }) {
		t.Error("what a member asked for counts after its end")
	}
}

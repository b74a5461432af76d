package core

import (
	"slices"
	"testing"
	"time"
)

func TestTheLeadersStatusShowsVotersSessionsAndGroups(t *testing.T) {
	s := begin(t, 5, nil)
	s.run(time.Second)
	l := s.leader()
	got := l.core.Status()
	if got.Role != RoleLeader || got.Leader != l.name || got.Term != l.leads || got.Why.Reason != Led || got.Birth != s.birth {
		t.Errorf("role %v, leader %q in term %d of birth %x, why %+v", got.Role, got.Leader, got.Term, got.Birth, got.Why)
	}
	if len(got.Voters) != 3 || got.Wanted != 3 || got.Changing || got.Commit == 0 || got.Applied != got.Commit {
		t.Errorf("voters %+v of %d, commit %d, applied %d", got.Voters, got.Wanted, got.Commit, got.Applied)
	}
	for _, v := range got.Voters {
		if v.Silent != 0 || v.Match+closeBehind < got.Commit || s.byName[v.Name].disk.id != v.ID {
			t.Errorf("voter %+v, commit %d", v, got.Commit)
		}
	}
	held := 0
	for _, session := range got.Sessions {
		held += session.Serves[0].Shards
		if session.Heard == 0 || session.Serves[0].Weight != 1 {
			t.Errorf("session %+v", session)
		}
	}
	if held != 24 || len(got.Sessions) != 5 || got.Groups[0].Vacant != 0 || got.Groups[0].Members != 5 {
		t.Errorf("%d sessions hold %d shards, group %+v", len(got.Sessions), held, got.Groups[0])
	}
}

func TestAStatusCountsShardsWithoutAHolderAndVotersThatAreSilent(t *testing.T) {
	s := begin(t, 5, nil)
	s.run(time.Second)
	lost := s.follower()
	held := len(lost.works)
	lost.crash()
	at := s.leader().now().Running
	s.run(s.cfg.Lease - time.Second)
	for _, v := range s.leader().core.Status().Voters {
		if isLost := v.Name == lost.name; isLost != (v.Silent != 0) || v.Silent > at {
			t.Errorf("voter %+v, %s is silent since %v", v, lost, at)
		}
	}
	sessions, _ := s.check.model.table.status()
	i := slices.IndexFunc(sessions, func(o SessionStatus) bool { return o.Name == lost.name })
	if i < 0 || sessions[i].Serves[0].Shards != held {
		t.Fatalf("sessions %+v, want %d shards of %s", sessions, held, lost)
	}
	model := s.check.model.table
	model.apply(model.index, []op{{kind: opEnd, session: sessions[i].ID}})
	if _, groups := model.status(); groups[0].Vacant != held {
		t.Errorf("%d shards have no holder, want %d", groups[0].Vacant, held)
	}
}

func TestAStatusGivesTheReasonWhyThereIsNoLeader(t *testing.T) {
	s := newSimulation(4, 1)
	s.start()
	if got := s.nodes[0].core.Status().Why; got.Reason != Unborn {
		t.Errorf("before the birth: %+v", got)
	}
	if !s.until(5*time.Second, s.allHeld) {
		t.Fatal("not all shards are held")
	}
	l, spare := s.leader(), s.spare()
	if got := spare.core.Status(); got.Role != RoleNone || got.Leader != l.name || got.Why.Reason != Led {
		t.Errorf("a member without a log: role %v, leader %q, why %+v", got.Role, got.Leader, got.Why)
	}
	at := l.now().Running
	for _, n := range s.nodes {
		s.w.Net.Partition(n.host.Index+1, n.host.Index)
	}
	s.run(2 * s.cfg.Lease)
	got := l.core.Status()
	if w := got.Why; got.Leader != "" || w.Reason != Minority || w.Reachable != 1 || w.Needed != 2 || w.Voters != 3 || len(w.Missing) != 2 || w.Since < at {
		t.Errorf("alone: leader %q, why %+v", got.Leader, w)
	}
	if got := spare.core.Status(); got.Leader != "" || got.Why.Reason != Unanswered || got.Why.Since == 0 {
		t.Errorf("a member without a log, alone: leader %q, why %+v", got.Leader, got.Why)
	}
	l.core.failed = true
	if got := l.core.Status().Why; got.Reason != Broken {
		t.Errorf("after a broken contract: %+v", got)
	}
}

func TestAVoterThatNeedsAnElectionReportsIt(t *testing.T) {
	s := begin(t, 3, nil)
	l, f := s.leader(), s.follower()
	l.crash()
	s.until(time.Second, func() bool { return f.core.Status().Leader == "" })
	if w := f.core.Status().Why; w.Reason != Electing || w.Reachable != 2 || w.Since == 0 {
		t.Errorf("why %+v, want an election among two of three", w)
	}
}

func TestAStatusShowsWhichSessionOfAMemberIsAnEarlierOne(t *testing.T) {
	table := sample(t, Exclusive)
	table.apply(4, []op{{kind: opOpen, name: "a", nonce: 9}}) // without the ID of the session before, as without a disk
	sessions, groups := table.status()
	for _, s := range sessions {
		if want := s.ID == 1; s.Old != want {
			t.Errorf("session %d of %s: old %v, want %v", s.ID, s.Name, s.Old, want)
		}
	}
	if len(sessions) != 3 || groups[0].Members != 1 {
		t.Errorf("%d sessions, %d members serve the group, want 3 and b", len(sessions), groups[0].Members)
	}
	table.apply(5, []op{{kind: opServe, session: 3, name: "g", weight: 1, shards: 4, level: uint64(Exclusive), copies: 2}})
	if _, groups = table.status(); groups[0].Members != 2 {
		t.Errorf("%d members serve the group, want a and b", groups[0].Members)
	}
}

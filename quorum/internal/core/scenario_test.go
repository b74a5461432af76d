package core

import (
	"slices"
	"testing"
	"time"
)

// begin starts a quorum whose shards are all held.
func begin(t *testing.T, members int, change func(*simulation)) *simulation {
	t.Helper()
	s := newSimulation(members, 1)
	if change != nil {
		change(s)
	}
	s.start()
	if !s.until(5*time.Second, s.allHeld) {
		t.Fatalf("not all shards are held after %v", s.w.Now)
	}
	return s
}

// finish demands that no invariant broke and that all shards are held within a bound.
func (s *simulation) finish(t *testing.T, bound time.Duration) {
	t.Helper()
	if !s.until(bound, s.allHeld) {
		t.Errorf("not all shards are held after %v", bound)
	}
	if err := s.err(); err != nil {
		t.Error(err)
	}
}

func (n *simNode) freeze(d time.Duration) {
	n.frozenAt = n.s.w.Now
	n.host.Freeze(d)
}

// follower returns a voter that does not lead, spare a member that is no voter.
func (s *simulation) follower() *simNode { return s.pick(true) }
func (s *simulation) spare() *simNode    { return s.pick(false) }

func (s *simulation) pick(voter bool) *simNode {
	l := s.leader()
	for _, n := range s.nodes {
		if n != l && n.host.Running() && confHas(l.core.raft.conf, n.disk.id) == voter {
			return n
		}
	}
	return nil
}

// holds returns how many functions run at a node under a valid lease.
func (n *simNode) holds() int {
	if !n.host.Running() || !n.valid() {
		return 0
	}
	return len(n.works)
}

func TestTheNextLeaderFollowsAVerdictAtOnceAndDisturbsNoHolder(t *testing.T) {
	for _, voters := range []int{3, 5} {
		s := begin(t, 7, func(s *simulation) { s.cfg.Voters = voters })
		s.run(time.Second)
		old := s.leader()
		begun := s.check.grants
		old.crash()
		at := s.w.Now
		if !s.until(time.Second, func() bool { return s.leader() != nil && s.leader().core.lead.ready }) || s.w.Now-at > 200*time.Millisecond {
			t.Errorf("%d voters: the next leader commits after %v, want 200ms at most, most of it the verdict", voters, s.w.Now-at)
		}
		s.run(s.cfg.Lease / 2)
		if s.check.grants != begun {
			t.Errorf("%d voters: %d grants after the leader died, want none before its lease is over", voters, s.check.grants-begun)
		}
		s.finish(t, s.cfg.Lease+time.Second)
	}
}

func TestSilenceAloneBringsTheNextLeader(t *testing.T) {
	s := begin(t, 5, nil)
	old := s.leader()
	old.freeze(time.Minute)
	at := s.w.Now
	next := func() bool { l := s.leader(); return l != old && l != nil && l.core.lead.ready }
	if !s.until(3*time.Second, next) || s.w.Now-at > 1500*time.Millisecond {
		t.Errorf("the next leader commits %v after the last sign of a silent one, want 1.5s at most", s.w.Now-at)
	}
	s.finish(t, s.cfg.Lease+2*time.Second)
}

func TestWhatAMemberHeldIsHeldAgainOneSecondAfterItsLease(t *testing.T) {
	s := begin(t, 7, nil)
	s.run(time.Second)
	s.spare().crash()
	s.finish(t, s.cfg.Lease+time.Second)
}

func TestAFencedShardGoesOnAtTheVerdict(t *testing.T) {
	s := begin(t, 7, func(s *simulation) { s.groups[0].Level = Fenced })
	s.run(time.Second)
	s.spare().crash()
	s.finish(t, 250*time.Millisecond)
}

func TestHoldersOfAMinorityStopByTheirOwnClocksAndThenTheOthersBegin(t *testing.T) {
	s := begin(t, 7, nil)
	minority := []*simNode{s.leader(), s.spare()}
	for _, n := range minority {
		s.w.Net.Partition(1, n.host.Index)
	}
	s.run(s.cfg.Lease + 50*time.Millisecond)
	for _, n := range minority {
		if n.holds() > 0 {
			t.Errorf("%s still holds %d shards in a minority after the lease", n, n.holds())
		}
	}
	s.run(2 * time.Second)
	if minority[0].leads != 0 {
		t.Errorf("%s still leads", minority[0])
	}
	if !s.allHeld() {
		t.Error("the majority does not hold all shards 2s after the lease")
	}
	s.w.Net.Heal()
	s.finish(t, 3*time.Second)
}

func TestThereIsNoLeaderWithoutAQuorum(t *testing.T) {
	s := begin(t, 4, nil)
	for _, n := range s.nodes { // each on its own side: no side has two voters
		s.w.Net.Partition(n.host.Index+1, n.host.Index)
	}
	s.run(2 * s.cfg.Lease)
	for _, n := range s.nodes {
		if n.leads != 0 || n.holds() > 0 {
			t.Errorf("%s leads in term %d and holds %d shards without a quorum", n, n.leads, n.holds())
		}
	}
	s.w.Net.Heal()
	s.finish(t, 6*time.Second)
}

func TestALeaderThatReceivesNothingStepsDown(t *testing.T) {
	s := begin(t, 5, nil)
	l := s.leader()
	for _, n := range s.nodes {
		if n != l {
			s.w.Net.Cut(n.host.Index, l.host.Index)
		}
	}
	if !s.until(3*time.Second, func() bool { return l.leads == 0 }) {
		t.Errorf("%s leads though it receives nothing from any voter", l)
	}
	if !s.until(2*time.Second, func() bool { return s.leader() != nil }) {
		t.Error("there is no leader after it")
	}
	s.finish(t, s.cfg.Lease+3*time.Second)
}

func TestALeaderFrozenForLongerThanTheLeaseHoldsNothingWhenItWakes(t *testing.T) {
	s := begin(t, 5, nil)
	l := s.leader()
	term := l.leads
	l.freeze(2 * s.cfg.Lease)
	s.run(2*s.cfg.Lease - 10*time.Millisecond)
	if next := s.leader(); next == l || next.leads <= term {
		t.Fatalf("%s leads while it is frozen", next)
	}
	s.run(20 * time.Millisecond)
	if l.valid() {
		t.Error("it has a valid lease")
	}
	s.finish(t, 3*time.Second)
}

func TestAllMembersCanBeReplacedByOnesWithEmptyDisks(t *testing.T) {
	s := begin(t, 7, nil)
	for _, n := range s.nodes {
		n.crash()
		n.disk.lose(s.newID())
		n.start()
		if !s.until(30*time.Second, func() bool { return s.votersFit() && s.allHeld() }) {
			t.Fatalf("after %s was replaced the voters are not whole, or not all shards are held", n)
		}
	}
	s.finish(t, 0)
}

func TestVotersThatAllRestartGoOnWithTheirLog(t *testing.T) {
	s := begin(t, 3, nil)
	s.run(10 * time.Second)
	had := s.check.model.table.index
	for _, n := range s.nodes {
		n.crash()
	}
	s.run(time.Second)
	for _, n := range s.nodes {
		n.start()
	}
	s.finish(t, 2*s.cfg.Lease)
	if s.check.model.table.index <= had {
		t.Errorf("the log has %d entries, before the restart it had %d", s.check.model.table.index, had)
	}
}

func TestADrainedMemberHandsOverAndEndsItsSession(t *testing.T) {
	s := begin(t, 6, nil)
	s.run(time.Second)
	n := s.spare()
	n.step(Drain{})
	if !s.until(500*time.Millisecond, func() bool { return n.gone }) {
		t.Fatal("it is not drained after 0.5s")
	}
	if len(n.works) > 0 || n.core.Session() != 0 {
		t.Errorf("it has %d shards and session %d", len(n.works), n.core.Session())
	}
	n.crash()
	s.finish(t, 100*time.Millisecond)
}

func TestALeaderThatDrainsHandsLeadershipOver(t *testing.T) {
	s := begin(t, 6, nil)
	s.run(2 * time.Second)
	l := s.leader()
	l.step(Drain{})
	if !s.until(2*time.Second, func() bool { return l.gone && s.leader() != nil && s.leader() != l }) {
		t.Fatalf("drained %v, leader %v", l.gone, s.leader())
	}
	if !s.until(20*time.Second, func() bool { return s.votersFit() && !confHas(s.leader().core.raft.conf, l.disk.id) }) {
		t.Error("it is still a voter")
	}
	s.finish(t, time.Second)
}

func TestAThirdOfTheMembersCanLeaveAtOnce(t *testing.T) {
	s := begin(t, 9, nil)
	s.run(time.Second)
	leaving := s.nodes[6:] // the voters are the first three
	for _, n := range leaving {
		n.step(Drain{})
	}
	drained := func() bool { return !slices.ContainsFunc(leaving, func(n *simNode) bool { return !n.gone }) }
	if !s.until(time.Second, drained) {
		t.Error("not all of them are drained after 1s")
	}
	for _, n := range leaving {
		n.crash()
	}
	if !s.allHeld() {
		t.Error("not all shards are held when they have left")
	}
	s.finish(t, 0)
}

func TestTheWallClockMayStepBothWays(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		s := begin(t, 5, nil)
		for _, n := range s.nodes {
			n.host.Clock.Step = step
			s.run(300 * time.Millisecond)
		}
		s.finish(t, 3*time.Second)
	}
}

func TestASuspendedHostHoldsNothingWhenItWakes(t *testing.T) {
	for _, boot := range []bool{true, false} {
		s := begin(t, 5, nil)
		n := s.spare()
		n.host.Clock.NoBoot = !boot
		n.frozenAt = s.w.Now
		n.host.Suspend(2 * s.cfg.Lease)
		s.run(2*s.cfg.Lease + time.Millisecond)
		if n.valid() {
			t.Errorf("with a clock that goes on in suspend %v: its lease is valid", boot)
		}
		s.finish(t, 3*time.Second)
	}
}

func TestAFunctionThatDoesNotReturnKeepsItsShardAsLongAsItsSessionLives(t *testing.T) {
	s := begin(t, 3, nil)
	var k simKey
	f := s.follower()
	f.slow = time.Hour
	for key := range f.works {
		k = key
		break
	}
	f.step(Drain{})
	s.run(10 * time.Second)
	g := s.check.model.table.byName[k.group]
	held := 0
	for _, sh := range g.Shards {
		if sh.Holder == f.core.Session() && sh.Holder != 0 {
			held++
		}
	}
	if held != len(f.works) || held == 0 {
		t.Errorf("the table gives %d shards to it, it still works on %d", held, len(f.works))
	}
	if err := s.err(); err != nil {
		t.Error(err)
	}
}

package core

import (
	"testing"
	"time"
)

// Each rule that was left out must be found broken by some of a bounded number of schedules, or the simulation proves nothing
// about it. The bounds are a few times what was measured.
func TestEveryMutantIsFound(t *testing.T) {
	for _, m := range []struct {
		name      string
		schedules int
		apply     func(*schedule)
	}{
		{"renewals are answered without a quorum round", 400, func(s *schedule) { s.mutant.noRound = true }},
		{"a new leader does not wait for leases of before", 20, func(s *schedule) { s.mutant.noWait = true }},
		{"the lease clock stands still in a pause", 20, func(s *schedule) { s.pausedClock = true }},
		{"a release is reported before the function returned", 20, func(s *schedule) { s.mutant.earlyRelease = true }},
		{"a voter keeps its identity when its disk is lost", 400, func(s *schedule) { s.keepID = true }},
		{"snapshots are from before a newcomer joined", 100, func(s *schedule) { s.mutant.oldSnapshot = true }},
		{"votes and acknowledgements are sent before they are durable", 100, func(s *schedule) { s.mutant.ackEarly = true; s.losePower() }},
		{"shards are planned without their pins", 20, func(s *schedule) { s.mutant.noPins = true }},
		{"a change of voters begins before the last one ended", 100, func(s *schedule) { s.mutant.twoChanges = true }},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for i := range m.schedules {
				s := newSchedule(uint64(i) + 1)
				m.apply(s)
				if err := s.play(); err != nil {
					t.Logf("found by schedule %d: %v", i+1, err)
					return
				}
			}
			t.Errorf("not found by %d schedules", m.schedules)
		})
	}
}

// losePower has the schedule be one of losses of power, on slow disks under load: where durability matters.
func (s *schedule) losePower() {
	s.power, s.traffic = true, true
	for _, n := range s.nodes {
		n.disk.slow = 60 * time.Millisecond
	}
}

func TestLossesOfPowerLoseNothingThatWasCommitted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		s := newSchedule(seed + 1)
		s.losePower()
		if err := s.play(); err != nil {
			t.Error(err)
		}
	}
}

package core

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// together reports whether the nodes of each birth hold all shards, each birth by itself.
func (s *simulation) together(births ...Birth) bool {
	return !slices.ContainsFunc(births, func(b Birth) bool {
		held := 0
		for _, n := range s.nodes {
			if n.core.birth == b && n.valid() {
				held += len(n.works)
			}
		}
		return held != s.groups[0].Shards
	})
}

// beginTwo starts two births that do not know of each other, each of which holds all shards.
func beginTwo(t *testing.T, change func(*simulation)) (*simulation, Birth) {
	t.Helper()
	s := newSimulation(8, 1)
	if change != nil {
		change(s)
	}
	younger := s.twoBirths(4)
	s.start()
	if !s.until(5*time.Second, func() bool { return s.together(s.birth, younger) }) {
		t.Fatal("not all shards are held in both births")
	}
	return s, younger
}

func TestTheMembersOfTheYoungerBirthJoinTheOlderOne(t *testing.T) {
	s, younger := beginTwo(t, nil)
	s.run(2 * time.Second)
	s.w.Net.Heal()
	at := s.w.Now
	if !s.until(10*time.Second, s.merged) {
		t.Fatalf("after 10s not all members belong to birth %x", s.birth)
	}
	t.Logf("all members belong to the older birth after %v", s.w.Now-at)
	top := s.checks[younger].top
	if !s.until(s.cfg.Lease, func() bool { return s.allHeld() && s.raised(top) }) {
		t.Errorf("held %v, with tokens above those of the younger birth %v", s.allHeld(), s.raised(top))
	}
	s.finish(t, 0)
}

// raised reports whether all shards are held with tokens above one.
func (s *simulation) raised(top Token) bool {
	for _, g := range s.check.model.table.groups {
		if slices.ContainsFunc(g.Shards, func(sh Shard) bool { return sh.Holder == 0 || sh.Token <= top }) {
			return false
		}
	}
	return true
}

func TestAYoungerBirthEndsOnlyWhenAllItsHoldersHaveStopped(t *testing.T) {
	s, younger := beginTwo(t, nil)
	slow := s.nodes[6]
	slow.stuck = true
	s.w.Net.Heal()
	s.run(2 * s.cfg.Lease)
	for _, n := range s.nodes[4:] {
		if n.core.birth != younger || n != slow && len(n.works) > 0 {
			t.Errorf("%s is of birth %x and holds %d shards while %s has not stopped", n, n.core.birth, len(n.works), slow)
		}
	}
	slow.crash()
	slow.stuck = false
	slow.start()
	if !s.until(3*s.cfg.Lease, s.merged) {
		t.Error("after its end not all members belong to the older birth")
	}
	s.finish(t, s.cfg.Lease)
}

func TestAMemberThatWasAwayLearnsThatItsBirthIsOver(t *testing.T) {
	for _, frozen := range []bool{true, false} {
		s, younger := beginTwo(t, nil)
		away := s.nodes[5]
		if frozen {
			away.freeze(20 * time.Second)
		} else {
			away.crash()
		}
		s.w.Net.Heal()
		s.run(15 * time.Second)
		for _, n := range s.nodes {
			if n != away && n.core.birth != s.birth {
				t.Errorf("%s belongs to birth %x", n, n.core.birth)
			}
		}
		if away.disk.saved.Birth != younger {
			t.Fatalf("%s joined while it was away", away)
		}
		if !frozen {
			away.start()
		}
		if !s.until(15*time.Second, s.merged) {
			t.Errorf("frozen %v: it did not join after it was back", frozen)
		}
		s.finish(t, s.cfg.Lease)
	}
}

func TestABirthDoesNotEndForAYoungerOne(t *testing.T) {
	s := begin(t, 3, nil)
	for _, n := range s.nodes {
		n.step(EndBirth{s.birth + 1})
		n.step(EndBirth{s.birth})
		n.step(EndBirth{})
	}
	s.run(time.Second)
	if into := s.check.model.table.into; into != 0 {
		t.Errorf("it ends for birth %x", into)
	}
	s.finish(t, 0)
}

// playBirths plays a schedule of faults during which two births meet.
func (s *schedule) playBirths() error {
	s.groups, s.traffic, s.operator = s.groups[:1], false, false
	s.groups[0].Level = Level(s.rng.IntN(2))
	s.cfg.Voters = 3
	s.twoBirths(len(s.nodes) / 2)
	s.start()
	s.run(3 * time.Second)
	s.w.Net.Heal()
	for range 6 {
		s.run(time.Duration(s.rng.Int64N(int64(2 * time.Second))))
		switch n := s.any(); s.rng.IntN(6) {
		case 0:
			s.kill(n, true)
		case 1:
			s.freeze(n)
		case 2:
			s.w.Net.Partition(n.host.Index+1, n.host.Index)
		case 3:
			s.partition()
		case 4:
			s.w.Net.Loss, s.w.Net.Break = s.rng.Float64()*0.3, s.rng.Float64()*0.02
		default:
			s.w.Net.Heal()
			s.w.Net.Loss, s.w.Net.Break = 0, 0
		}
	}
	s.w.Net.Heal()
	s.w.Net.Loss, s.w.Net.Break, s.lies = 0, 0, false
	if !s.until(60*time.Second, s.merged) {
		s.fail("I7", "not all members belong to the older birth 60s after the last fault")
	}
	if !s.until(30*time.Second, func() bool { return s.allHeld() && s.votersFit() }) {
		s.fail("I7", "in the older birth not all shards are held, or the voters are not whole")
	}
	return s.err()
}

// newBirthSchedule draws a schedule of two births.
func newBirthSchedule(seed uint64) *schedule {
	s := newSchedule(seed)
	s.rng = rand.New(rand.NewPCG(seed, 78))
	return s
}

func TestBirthsMeetUnderFaults(t *testing.T) {
	t.Parallel()
	for i := range max(*schedules/5, 1) {
		if err := newBirthSchedule(*firstSeed + uint64(i)).playBirths(); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryMutantOfTwoBirthsIsFound(t *testing.T) {
	for _, m := range []struct {
		name  string
		apply func(*mutants)
	}{
		{"a member joins when its own functions have returned", func(m *mutants) { m.joinEarly = true }},
		{"tokens go on as they were", func(m *mutants) { m.noRaise = true }},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			for i := range 20 {
				s := newBirthSchedule(uint64(i) + 1)
				m.apply(&s.mutant)
				if err := s.playBirths(); err != nil {
					t.Logf("found by schedule %d: %v", i+1, err)
					return
				}
			}
			t.Error("not found by 20 schedules")
		})
	}
}

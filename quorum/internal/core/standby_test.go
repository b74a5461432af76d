package core

import (
	"slices"
	"testing"
	"time"
)

// standbysKnow reports whether each shard has as many standbys as it can have, and these members know.
func (s *simulation) standbysKnow() bool {
	want := map[simKey][]string{}
	for _, g := range s.check.model.table.groups {
		for i, shard := range g.Shards {
			for _, id := range shard.Standby {
				k := simKey{g.Name, i}
				want[k] = append(want[k], s.check.model.table.memberName(id))
			}
		}
	}
	reported := 0
	for _, n := range s.nodes {
		for k := range n.stands {
			if !slices.Contains(want[k], n.name) {
				return false
			}
			reported++
		}
	}
	for _, names := range want {
		reported -= len(names)
	}
	return reported == 0
}

func TestStandbysAreAskedToPrepareAndThenTakeOver(t *testing.T) {
	s := begin(t, 6, func(s *simulation) { s.groups[0].Copies = 2 })
	if !s.until(time.Second, func() bool { return s.standbysKnow() && len(s.nodes[5].stands) == 4 }) {
		t.Fatalf("a member was asked to prepare for %v, want 4 of 24 shards", s.nodes[5].stands)
	}
	lost := s.spare()
	prepared := map[simKey]*simNode{}
	for _, n := range s.nodes {
		for k := range n.stands {
			if lost.works[k] != nil {
				prepared[k] = n
			}
		}
	}
	if len(prepared) != 4 {
		t.Fatalf("%d standbys for the shards of %s, want 4", len(prepared), lost)
	}
	lost.crash()
	s.finish(t, s.cfg.Lease+time.Second)
	took := 0
	for k, n := range prepared {
		if n.works[k] != nil {
			took++
		}
	}
	if took < 3 { // one that would hold more than its share by it does not
		t.Errorf("standbys hold %d of the 4 shards that they prepared for", took)
	}
	if !s.until(time.Second, s.standbysKnow) {
		t.Error("members and table differ on who stands by")
	}
}

func TestAMemberThatLostItsSessionStandsByNoMore(t *testing.T) {
	s := begin(t, 4, func(s *simulation) { s.groups[0].Copies = 2 })
	s.until(time.Second, s.standbysKnow)
	n := s.spare()
	if len(n.stands) == 0 {
		t.Fatal("it stands by for no shard")
	}
	s.w.Net.Partition(1, n.host.Index)
	s.run(s.cfg.Lease + 50*time.Millisecond)
	if len(n.stands) > 0 {
		t.Errorf("it stands by for %v after its lease", n.stands)
	}
	s.w.Net.Heal()
	s.finish(t, 3*time.Second)
}

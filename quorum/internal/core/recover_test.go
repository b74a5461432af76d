package core

import (
	"testing"
	"time"
)

func TestOneSurvivorCanBeginANewBirthAndWaitsForOldLeases(t *testing.T) {
	s := begin(t, 5, nil)
	l := s.leader()
	l.requests[1] = &simRequest{node: l, key: "k", write: true, began: s.w.Now}
	l.step(Write{ID: 1, Key: "k", Value: []byte("v"), Timeout: time.Second})
	s.run(2 * time.Second)
	top := s.check.top
	for _, n := range s.nodes {
		if n != l && confHas(l.core.raft.conf, n.disk.id) {
			n.crash()
			n.disk.lose(s.newID())
		}
	}
	l.crash()
	old := l.disk.saved
	if _, err := Recover(old, s.birth, Voter{l.disk.id, l.name}); err == nil {
		t.Error("a birth can follow itself")
	}
	s.birth, s.first = NewBirth(s.birth.Order()+1, 5), nil
	l.disk.id = s.newID()
	saved, err := Recover(old, s.birth, Voter{l.disk.id, l.name})
	if err != nil {
		t.Fatal(err)
	}
	l.disk.saved = saved
	s.check.restart(t, saved)
	for _, n := range s.nodes {
		if n != l {
			n.crash()
			n.disk.saved = Saved{}
		}
	}
	for _, n := range s.nodes {
		n.start()
	}
	s.finish(t, 2*s.cfg.Lease+3*time.Second)
	for _, g := range s.check.model.table.groups {
		for i, shard := range g.Shards {
			if shard.Token <= top {
				t.Errorf("%s/%d has token %x, before the recovery there was %x", g.Name, i, shard.Token, top)
			}
		}
	}
	if it := s.leader().core.raft.state.kv.items["k"]; it == nil || string(it.value) != "v" {
		t.Errorf("the map has %v, want what it had", it)
	}
}

// restart has the checker go on from a recovered log.
func (c *checker) restart(t *testing.T, d Saved) {
	t.Helper()
	model, err := parseState(d.Snapshot.GetData())
	if err != nil {
		t.Fatal(err)
	}
	c.model = model
	clear(c.log)
}

func TestWithoutALogThereIsNothingToRecover(t *testing.T) {
	if _, err := Recover(Saved{}, NewBirth(1, 1), Voter{1, "a"}); err == nil {
		t.Error("it recovered something")
	}
}

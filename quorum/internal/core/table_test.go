package core

import (
	"bytes"
	"testing"
)

// sample returns a table with two sessions that serve a group of four shards.
func sample(t *testing.T, level Level) *Table {
	t.Helper()
	table := newTable(NewBirth(3, 9))
	table.apply(2, []op{{kind: opOpen, name: "a", nonce: 1}, {kind: opOpen, name: "b", nonce: 2}})
	for _, id := range []uint64{1, 2} {
		table.apply(3, []op{{kind: opServe, session: id, name: "g", weight: 1, shards: 4, level: uint64(level), copies: 2}})
	}
	if len(table.order) != 2 || len(table.Group("g").Members) != 2 {
		t.Fatalf("sessions %v, group %+v", table.order, table.Group("g"))
	}
	return table
}

func TestAGrantNeedsAFreeShardAndTheTokenThatTheLeaderSaw(t *testing.T) {
	for _, c := range []struct {
		name  string
		ops   []op
		level Level
		want  uint64 // holder of shard 0
	}{
		{"a free shard", []op{{kind: opGrant, group: 1, session: 1}}, Exclusive, 1},
		{"a shard that another one holds", []op{{kind: opGrant, group: 1, session: 1}, {kind: opGrant, group: 1, session: 2, token: 3<<40 | 4}}, Exclusive, 1},
		{"an exclusive shard is not moved", []op{{kind: opGrant, group: 1, session: 1}, {kind: opMove, group: 1, session: 2, token: 3<<40 | 4}}, Exclusive, 1},
		{"a fenced shard is moved", []op{{kind: opGrant, group: 1, session: 1}, {kind: opMove, group: 1, session: 2, token: 3<<40 | 4}}, Fenced, 2},
		{"another token", []op{{kind: opGrant, group: 1, session: 1, token: 7}}, Exclusive, 0},
		{"a session that is not there", []op{{kind: opGrant, group: 1, session: 9}}, Exclusive, 0},
		{"a session that is drained", []op{{kind: opDrain, session: 1}, {kind: opGrant, group: 1, session: 1}}, Exclusive, 0},
		{"a session that retired", []op{{kind: opRetire, session: 1, group: 1}, {kind: opGrant, group: 1, session: 1}}, Exclusive, 0},
		{"a session that ended", []op{{kind: opGrant, group: 1, session: 1}, {kind: opEnd, session: 1}}, Exclusive, 0},
		{"a release", []op{{kind: opGrant, group: 1, session: 1}, {kind: opRelease, group: 1, token: 3<<40 | 4}}, Exclusive, 0},
		{"a release of another token", []op{{kind: opGrant, group: 1, session: 1}, {kind: opRelease, group: 1, token: 3<<40 | 3}}, Exclusive, 1},
		{"a group that is not there", []op{{kind: opGrant, group: 5, session: 1}}, Exclusive, 0},
		{"a shard that is not there", []op{{kind: opGrant, group: 1, shard: 4, session: 1}}, Exclusive, 0},
	} {
		table := sample(t, c.level)
		table.apply(4, c.ops)
		if got := table.Group("g").Shards[0].Holder; got != c.want {
			t.Errorf("%s: holder %d, want %d", c.name, got, c.want)
		}
	}
}

func TestASessionReplacesOnlyOneOfItsOwnMember(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "x": false} {
		table := sample(t, Exclusive)
		table.apply(5, []op{{kind: opOpen, name: name, nonce: 77, session: 1}})
		if gone := table.Session(1) == nil; gone != want {
			t.Errorf("a session of %q replaces that of \"a\": %v, want %v", name, gone, want)
		}
	}
}

func TestASessionIsOpenedOnceForANonce(t *testing.T) {
	table := sample(t, Exclusive)
	table.apply(5, []op{{kind: opOpen, name: "a", nonce: 1}, {kind: opOpen, name: "a", nonce: 1}})
	if len(table.order) != 2 {
		t.Errorf("sessions %v, want two", table.order)
	}
}

func TestAMemberHasFewSessions(t *testing.T) {
	table := sample(t, Exclusive)
	for nonce := range uint64(100) {
		table.apply(5, []op{{kind: opOpen, name: "a", nonce: 100 + nonce}})
	}
	if got := len(table.order); got != maxSessionsOfOne+1 {
		t.Errorf("there are %d sessions, want %d of one member and one of the other", got, maxSessionsOfOne)
	}
	table.apply(6, []op{{kind: opEnd, session: 1}, {kind: opOpen, name: "a", nonce: 999}})
	if table.find("a", 999) == nil {
		t.Error("after the end of one there is no room for the next")
	}
}

func TestAGroupKeepsItsSettings(t *testing.T) {
	table := sample(t, Exclusive)
	table.apply(5, []op{{kind: opRetire, session: 2, group: 1}, {kind: opServe, session: 2, name: "g", weight: 1, shards: 8, copies: 2}})
	if g := table.Group("g"); len(g.Shards) != 4 || len(g.Members) != 1 {
		t.Errorf("the group has %d shards and %d members, want 4 and 1", len(g.Shards), len(g.Members))
	}
}

func TestStandbysAreMembersOtherThanTheHolder(t *testing.T) {
	for _, c := range []struct {
		standby []uint64
		ok      bool
	}{{[]uint64{2}, true}, {[]uint64{1}, false}, {[]uint64{3}, false}, {[]uint64{2, 2}, false}} {
		table := sample(t, Exclusive)
		table.apply(4, []op{{kind: opGrant, group: 1, session: 1}, {kind: opStandby, group: 1, standby: c.standby}})
		if got := len(table.Group("g").Shards[0].Standby) > 0; got != c.ok {
			t.Errorf("standby %v is taken: %v, want %v", c.standby, got, c.ok)
		}
	}
}

func TestATableSurvivesItsSnapshot(t *testing.T) {
	table := sample(t, Fenced)
	table.apply(4, []op{{kind: opGrant, group: 1, session: 1}, {kind: opStandby, group: 1, standby: []uint64{2}}, {kind: opDrain, session: 2}})
	b := table.encode()
	back, err := parseTable(b)
	if err != nil || !bytes.Equal(back.encode(), b) {
		t.Errorf("%v: %x, want %x", err, back.encode(), b)
	}
	for n := range b {
		if cut, err := parseTable(b[:n]); err == nil && bytes.Equal(cut.encode(), b) {
			t.Errorf("%d of %d bytes are the whole table", n, len(b))
		}
	}
}

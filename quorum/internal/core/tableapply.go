package core

import (
	"slices"
	"time"
)

// apply applies the operations of one entry. An operation whose condition does not hold does nothing: a leader may propose on
// what it knew before another one's entries were applied, and every condition that safety needs is checked here, where
// all see the same.
func (t *Table) apply(index uint64, ops []op) {
	t.index = index
	for i := range ops {
		switch o := &ops[i]; o.kind {
		case opOpen:
			t.open(o)
		case opEnd:
			t.end(o.session)
		case opDrain:
			if s := t.sessions[o.session]; s != nil {
				s.Draining = true
			}
		case opServe:
			t.serve(o)
		case opRetire:
			t.retire(o)
		case opGrant, opMove:
			t.grant(o)
		case opRelease:
			if g, s := t.shard(o.group, o.shard); s != nil && s.Token == Token(o.token) && s.Holder != 0 {
				g.assign(s, 0)
				t.touch(o)
			}
		case opStandby:
			t.setStandby(o)
		case opPin, opExclude:
			t.direct(o)
		case opEndBirth:
			t.endFor(Birth(o.token))
		case opRaise:
			t.raise(Birth(o.token))
		}
	}
}

func (t *Table) touch(o *op) { t.touched = append(t.touched, shardKey{o.group, int(o.shard)}) }

// open begins a session. The one it replaces ends in the same step, so that its shards are free for the new one at once.
func (t *Table) open(o *op) {
	if t.find(o.name, o.nonce) != nil || o.name == "" || t.into != 0 {
		return
	}
	if old := t.sessions[o.session]; old != nil && old.Name == o.name {
		t.end(old.ID)
	}
	if len(t.order) >= MaxSessions || t.names[o.name] >= maxSessionsOfOne {
		return
	}
	t.last++
	t.add(&Session{ID: t.last, Nonce: o.nonce, Name: o.name, Zone: o.zone})
}

// end ends a session: nothing is held by it any more.
func (t *Table) end(id uint64) {
	s := t.sessions[id]
	if s == nil {
		return
	}
	delete(t.sessions, id)
	delete(t.nonces, memberNonce{s.Name, s.Nonce})
	if t.names[s.Name]--; t.names[s.Name] == 0 {
		delete(t.names, s.Name)
	}
	t.order = slices.DeleteFunc(t.order, func(s uint64) bool { return s == id })
	for _, g := range t.groups {
		if i := g.member(id); i >= 0 {
			g.Members = slices.Delete(g.Members, i, i+1)
		}
		for i := range g.Shards {
			s := &g.Shards[i]
			stood, held := s.dropStandby(id), s.Holder == id
			if held {
				g.assign(s, 0)
			}
			if stood || held {
				t.touched = append(t.touched, shardKey{g.ID, i})
			}
		}
	}
}

// serve adds a session to a group. A session that asks for another number of shards, or other settings, than the group has is not added.
func (t *Table) serve(o *op) {
	if t.sessions[o.session] == nil || o.name == "" || o.weight == 0 || o.weight > 1<<20 || o.moves > MaxShards {
		return
	}
	g := t.byName[o.name]
	if g == nil {
		if g = t.addGroup(o); g == nil {
			return
		}
	}
	if uint64(len(g.Shards)) != o.shards || uint64(g.Level) != o.level || uint64(g.Copies) != o.copies || uint64(g.Return) != o.returns {
		return
	}
	m := GroupMember{Session: o.session, Weight: int(o.weight), Moves: int(o.moves)}
	if i := g.member(o.session); i >= 0 {
		g.Members[i] = m
		return
	}
	i, _ := slices.BinarySearchFunc(g.Members, m, func(a, b GroupMember) int { return int(a.Session) - int(b.Session) })
	g.Members = slices.Insert(g.Members, i, m)
}

func (t *Table) addGroup(o *op) *Group {
	if o.shards == 0 || o.shards > MaxShards || o.level > uint64(Fenced) || o.copies == 0 || o.copies > MaxCopies || o.returns > uint64(MaxReturn) || len(t.groups) >= MaxGroups {
		return nil
	}
	g := newGroup(uint64(len(t.groups)) + 1)
	g.Return = time.Duration(o.returns)
	g.Name, g.Level, g.Copies, g.Shards = o.name, Level(o.level), int(o.copies), make([]Shard, o.shards)
	t.groups = append(t.groups, g)
	t.byName[g.Name] = g
	return g
}

func (t *Table) retire(o *op) {
	g := t.group(o.group)
	if g == nil {
		return
	}
	if i := g.member(o.session); i >= 0 {
		g.Members = slices.Delete(g.Members, i, i+1)
	}
	for i := range g.Shards {
		if g.Shards[i].dropStandby(o.session) {
			t.touched = append(t.touched, shardKey{g.ID, i})
		}
	}
}

// grant gives a shard to a session: a free one, or a fenced one that another session holds.
func (t *Table) grant(o *op) {
	g, s := t.shard(o.group, o.shard)
	switch {
	case t.into != 0 || g == nil || s.Token != Token(o.token) || t.sessions[o.session] == nil || t.sessions[o.session].Draining || g.member(o.session) < 0:
		return
	case s.Holder != 0 && (o.kind != opMove || g.Level != Fenced || s.Holder == o.session):
		return
	}
	g.assign(s, o.session)
	s.Token = t.token(t.index)
	s.dropStandby(o.session)
	t.touch(o)
}

func (t *Table) setStandby(o *op) {
	g, s := t.shard(o.group, o.shard)
	if g == nil || len(o.standby) >= max(g.Copies, 1) {
		return
	}
	for i, id := range o.standby {
		if g.member(id) < 0 || id == s.Holder || slices.Contains(o.standby[:i], id) {
			return
		}
	}
	s.Standby = slices.Clone(o.standby)
	t.touch(o)
}

// dropStandby removes a session from the standbys and reports whether it was one.
func (s *Shard) dropStandby(session uint64) bool {
	i := slices.Index(s.Standby, session)
	if i >= 0 {
		s.Standby = slices.Delete(slices.Clone(s.Standby), i, i+1)
	}
	return i >= 0
}

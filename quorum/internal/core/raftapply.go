package core

import (
	"encoding/binary"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func leUint64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// applyEntries applies committed entries, in order.
func (c *Core) applyEntries(m *pb.Message) {
	for _, e := range m.GetEntries() {
		c.raft.applied, c.raft.term = e.GetIndex(), e.GetTerm()
		switch e.GetType() {
		case pb.EntryNormal:
			c.applyNormal(e)
		case pb.EntryConfChange, pb.EntryConfChangeV2:
			c.applyVoters(e)
		}
		if c.onApply != nil {
			c.onApply(e)
		}
	}
	for _, response := range m.GetResponses() {
		_ = c.raft.node.Step(response)
	}
	c.compact()
}

// applyNormal applies operations. An entry that this version cannot read changes nothing, at all members alike.
func (c *Core) applyNormal(e *pb.Entry) {
	s := c.raft.state
	s.table.index = e.GetIndex()
	ops, err := parseEntry(e.GetData())
	if err != nil {
		ops = nil
	}
	if c.lead != nil {
		c.lead.noteAbsences(c, ops)
	}
	results := s.apply(e.GetIndex(), ops)
	s.table.takeTouched() // for members, not for the leader
	if c.lead != nil {
		c.lead.applied(c, e, ops, results)
	}
}

// apply applies the operations of one entry, which concern either the table or the map.
func (s *state) apply(index uint64, ops []op) []outcome {
	if len(ops) == 0 {
		return nil
	}
	live := func(session uint64) bool { return s.table.sessions[session] != nil }
	if !ops[0].kind.ofMap() {
		before := len(s.table.order)
		s.table.apply(index, ops)
		if before > 0 {
			s.kv.expire(index, live)
		}
		out := make([]outcome, len(ops))
		for i := range out {
			out[i].index = index
		}
		return out
	}
	var out []outcome
	for i := range ops {
		out = append(out, s.kv.apply(index, &ops[i], live))
	}
	return out
}

// applyVoters applies a change of voters. Its context names those who come.
func (c *Core) applyVoters(e *pb.Entry) {
	r := c.raft
	r.state.table.index = e.GetIndex()
	change := parseChange(e)
	r.conf = proto.Clone(r.node.ApplyConfChange(change)).(*pb.ConfState)
	if id, name, err := parseVoterName(change.GetContext()); err == nil && id != 0 {
		r.state.voters[id] = name
	}
	for id := range r.state.voters {
		if !confHas(r.conf, id) {
			delete(r.state.voters, id)
		}
	}
	if c.lead != nil {
		c.lead.dirty = true
		c.lead.votersAt, c.lead.changeUntil = 0, 0 // the next change may follow
		c.lead.restartRound()
	}
}

// parseChange returns the change of voters in an entry; checked when it was proposed or came.
func parseChange(e *pb.Entry) *pb.ConfChangeV2 {
	if e.GetType() == pb.EntryConfChange {
		var v1 pb.ConfChange
		must(proto.Unmarshal(e.GetData(), &v1))
		return v1.AsV2()
	}
	var v2 pb.ConfChangeV2
	must(proto.Unmarshal(e.GetData(), &v2))
	return &v2
}

// confVotes reports whether a voter of a configuration has an ID.
func confVotes(conf *pb.ConfState, id uint64) bool {
	return slices.Contains(conf.GetVoters(), id) || slices.Contains(conf.GetVotersOutgoing(), id)
}

// confHas reports whether a configuration has a voter or learner.
func confHas(conf *pb.ConfState, id uint64) bool {
	for _, list := range [][]uint64{conf.Voters, conf.VotersOutgoing, conf.Learners, conf.LearnersNext} {
		for _, v := range list {
			if v == id {
				return true
			}
		}
	}
	return false
}

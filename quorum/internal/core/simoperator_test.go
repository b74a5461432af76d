package core

import (
	"slices"
	"time"
)

// operate hands a request of an operator to a node and returns its result, or that it never came.
func (s *simulation) operate(n *simNode, in Input) Result {
	id := s.newOperation()
	r := &simRequest{node: n, operator: true, began: s.w.Now, ended: -1}
	n.requests[id] = r
	n.step(withID(in, id))
	if !s.until(10*time.Second, func() bool { return r.ended >= 0 }) {
		s.fail("result", "%s: none of %+v", n, in)
	}
	return Result{ID: id, Code: r.code, Index: r.index}
}

func (s *simulation) newOperation() uint64 {
	s.operations++
	return 1<<32 + s.operations
}

func withID(in Input, id uint64) Input {
	switch in := in.(type) {
	case Pin:
		in.ID, in.Timeout = id, 2*time.Second
		return in
	case Move:
		in.ID, in.Timeout = id, 2*time.Second
		return in
	case Exclude:
		in.ID, in.Timeout = id, 2*time.Second
		return in
	}
	panic("not a request of an operator")
}

// interfere has an operator ask for something at random. At most two members are excluded, so that others can hold all shards.
func (s *schedule) interfere() {
	n, to := s.nodes[s.rng.IntN(len(s.nodes))], s.nodes[s.rng.IntN(len(s.nodes))]
	kind, shard := s.rng.IntN(4), s.rng.IntN(s.groups[0].Shards)
	if !n.host.Running() || n.host.Frozen() || n.core.birth == 0 {
		return
	}
	var in Input
	switch group := s.groups[0].Name; kind {
	case 0:
		in = Pin{Group: group, Shard: shard, Member: to.name}
	case 1:
		in = Pin{Group: group, Shard: shard}
	case 2:
		in = Move{Group: group, Shard: shard, Member: to.name}
	default:
		if to.host.Index > 1 {
			return
		}
		in = Exclude{Group: group, Member: to.name, Undo: s.rng.IntN(2) == 0}
	}
	s.w.Logf("an operator at %s: %+v", n, in)
	id := s.newOperation()
	n.requests[id] = &simRequest{node: n, operator: true}
	n.step(withID(in, id))
}

// directed reports whether each pinned shard is held by its member, if that is not excluded, and excluded members hold nothing.
func (s *simulation) directed() bool {
	t := s.check.model.table
	for _, g := range t.groups {
		for shard, name := range g.pins {
			if !g.excludes(name) && t.memberName(g.Shards[shard].Holder) != name {
				return false
			}
		}
		if slices.ContainsFunc(t.order, func(id uint64) bool { return g.held[id] > 0 && g.excludes(t.memberName(id)) }) {
			return false
		}
	}
	return true
}

package core

import (
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// persist hands changes to the disk.
func (c *Core) persist(p Persist, wait pending) {
	c.seq++
	p.Seq, wait.seq = c.seq, c.seq
	c.unsaved = append(c.unsaved, wait)
	c.emit(p)
	if c.mutant.ackEarly {
		c.persisted(p.Seq)
	}
}

// persistLog hands raft's changes to the disk. The responses in the message are votes and acknowledgements that rest on them.
func (c *Core) persistLog(m *pb.Message) {
	p := Persist{Entries: m.GetEntries(), Snapshot: m.GetSnapshot()}
	if m.Term != nil {
		p.Hard = &pb.HardState{Term: m.Term, Vote: new(m.GetVote()), Commit: new(m.GetCommit())}
	}
	if p.Snapshot != nil {
		p.Reset, c.raft.last = true, p.Snapshot.GetMetadata().GetIndex()
	}
	if n := len(p.Entries); n > 0 {
		c.raft.last = p.Entries[n-1].GetIndex()
	}
	c.persist(p, pending{message: m})
}

// persisted lets happen what waited for the disk. Acknowledgements are in order and cumulative.
func (c *Core) persisted(seq uint64) {
	for len(c.unsaved) > 0 && c.unsaved[0].seq <= seq {
		w := c.unsaved[0]
		c.unsaved = c.unsaved[1:]
		if w.start != nil {
			c.startRaft(*w.start)
		}
		if w.message != nil && c.raft != nil {
			c.durable(w.message)
		}
	}
}

// durable takes a change into the log in memory and sends what rested on it.
func (c *Core) durable(m *pb.Message) {
	r := c.raft
	if s := m.GetSnapshot(); s != nil {
		c.installSnapshot(s)
	}
	if m.Term != nil {
		must(r.store.SetHardState(&pb.HardState{Term: m.Term, Vote: new(m.GetVote()), Commit: new(m.GetCommit())}))
	}
	must(r.store.Append(m.GetEntries()))
	for _, response := range m.GetResponses() {
		if response.GetTo() == c.cfg.ID {
			_ = r.node.Step(response) // an outdated one is refused, which is its normal end
		} else {
			c.sendRaft(response)
		}
	}
}

// installSnapshot replaces the state by that of a snapshot which another voter sent and which is now durable.
func (c *Core) installSnapshot(s *pb.Snapshot) {
	r := c.raft
	state, err := parseState(s.GetData())
	must(err) // it was parsed when it came
	if err := r.store.ApplySnapshot(s); err != nil {
		return // raft has a newer one
	}
	r.state, r.conf = state, s.GetMetadata().GetConfState()
	r.applied, r.term = s.GetMetadata().GetIndex(), s.GetMetadata().GetTerm()
	r.saved = r.applied
}

// compact cuts the log once it has grown: a snapshot at the applied index goes to the disk, and in memory a part of the entries stays
// for voters that are a little behind.
func (c *Core) compact() {
	r := c.raft
	keep := uint64(c.cfg.KeepEntries)
	if r.applied < r.saved+keep {
		return
	}
	r.saved = r.applied
	first := r.applied + 1
	if r.applied > keep/4 {
		first = r.applied - keep/4
	}
	c.persist(Persist{Snapshot: newSnapshot(r.applied, r.term, r.conf, r.state.encode()), First: first}, pending{})
	if err := r.store.Compact(first - 1); err != nil && err != raft.ErrCompacted {
		panic(err)
	}
}

// must panics on what only a broken contract can cause; see [Failed].
func must(err error) {
	if err != nil {
		panic(err)
	}
}

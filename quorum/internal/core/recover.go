package core

import (
	"errors"
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
)

// Recover returns a log of a new birth with one voter, out of what one member has on its disk, for the case that most voters are lost
// for good. Everything in the log is taken, also what may not have been committed. What no survivor has is lost.
//
// Tokens go on growing, as the birth must be of a later order. Sessions stay in the table though no member can renew them in the
// new birth: the first leader waits until their leases are certainly over before it grants what they hold.
func Recover(d Saved, b Birth, self Voter) (Saved, error) {
	if d.Snapshot == nil {
		return Saved{}, errors.New("there is no log to recover")
	}
	if b.Order() <= d.Birth.Order() {
		return Saved{}, fmt.Errorf("the new birth has order %d, want more than %d", b.Order(), d.Birth.Order())
	}
	s, err := parseState(d.Snapshot.GetData())
	if err != nil {
		return Saved{}, fmt.Errorf("read the snapshot: %w", err)
	}
	index, term := d.Snapshot.GetMetadata().GetIndex(), max(d.Snapshot.GetMetadata().GetTerm(), d.Hard.GetTerm())
	for _, e := range d.Entries {
		if e.GetIndex() <= index {
			continue
		}
		index, term = e.GetIndex(), max(term, e.GetTerm())
		if e.GetType() == pb.EntryNormal {
			ops, _ := parseEntry(e.GetData()) // what cannot be read changed nothing before either
			s.apply(index, ops)
		}
	}
	index, term = index+1, term+1
	s.table.birth, s.table.index, s.table.into = b, index, 0
	s.table.era = max(s.table.era+1, b.Order())
	s.voters = map[uint64]string{self.ID: self.Name}
	conf := &pb.ConfState{Voters: []uint64{self.ID}}
	return Saved{Birth: b, Hard: &pb.HardState{Term: new(term), Vote: new(uint64(0)), Commit: new(index)},
		Snapshot: newSnapshot(index, term, conf, s.encode())}, nil
}

// Saved returns what this member would have on its disk if that had a snapshot of now: its state and the entries after it.
func (c *Core) Saved() (Saved, error) {
	if c.raft == nil {
		return Saved{}, errors.New("this member has no log")
	}
	s := c.raft.store
	hard, _, err := s.InitialState()
	if err != nil {
		return Saved{}, err
	}
	last, err := s.LastIndex()
	if err != nil {
		return Saved{}, err
	}
	snapshot, err := s.Snapshot()
	if err != nil {
		return Saved{}, err
	}
	d := Saved{Birth: c.birth, Hard: hard, Snapshot: snapshot}
	if first := snapshot.GetMetadata().GetIndex() + 1; first <= last {
		d.Entries, err = s.Entries(first, last+1, 1<<62)
	}
	return d, err
}

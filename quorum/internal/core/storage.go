package core

import (
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// storage is the log in memory, as far as it is on the disk, with snapshots made when raft asks for one.
//
// A snapshot for a voter that lags is of the applied index, always. An older one may be from before a newcomer joined:
// the newcomer does not find itself in it and ignores it without a word, and both sides would send for ever.
type storage struct {
	*raft.MemoryStorage
	make func() *pb.Snapshot
}

// Snapshot implements [raft.Storage].
func (s storage) Snapshot() (*pb.Snapshot, error) { return s.make(), nil }

// Saved is what a member has on its disk of an earlier life, the sum of its [Persist]s.
type Saved struct {
	Birth    Birth
	CameFrom Birth // see Found
	Hard     *pb.HardState
	Snapshot *pb.Snapshot
	Entries  []*pb.Entry
}

// restore fills the storage and returns the index up to which the snapshot is applied.
func (s storage) restore(d Saved) (uint64, error) {
	index := uint64(0)
	if d.Snapshot != nil {
		if err := s.ApplySnapshot(d.Snapshot); err != nil {
			return 0, err
		}
		index = d.Snapshot.GetMetadata().GetIndex()
	}
	if d.Hard != nil {
		hard := &pb.HardState{Term: new(d.Hard.GetTerm()), Vote: new(d.Hard.GetVote()), Commit: new(max(d.Hard.GetCommit(), index))}
		if err := s.SetHardState(hard); err != nil {
			return 0, err
		}
	}
	return index, s.Append(d.Entries)
}

package core

import (
	"cmp"
	"fmt"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// raftNode is this member's part in the log: raft, what of it is on the disk, and what has been applied.
type raftNode struct {
	node      *raft.RawNode
	store     storage
	state     *state
	conf      *pb.ConfState
	applied   uint64
	term      uint64 // of the entry at applied
	last      uint64 // index of the last entry, durable or not
	saved     uint64 // index of the last snapshot given to the disk
	readAsked uint64 // the highest round that a heartbeat of this term asked to acknowledge
}

// pending is a Persist that is not acknowledged, and what may happen once it is.
type pending struct {
	seq     uint64
	message *pb.Message // nil: nothing waits
	start   *Saved      // the first log of a birth: raft begins when it is durable
}

// newRaft returns the part that a disk describes; an empty one for a newcomer.
func (c *Core) newRaft(d Saved) (*raftNode, error) {
	r := &raftNode{state: newState(c.birth), conf: &pb.ConfState{}}
	r.store = storage{raft.NewMemoryStorage(), func() *pb.Snapshot { return c.snapshot(r) }}
	index, err := r.store.restore(d)
	if err != nil {
		return nil, fmt.Errorf("restore the log: %w", err)
	}
	r.applied, r.saved = index, index
	if d.Snapshot != nil {
		r.conf, r.term = d.Snapshot.GetMetadata().GetConfState(), d.Snapshot.GetMetadata().GetTerm()
		if r.state, err = parseState(d.Snapshot.GetData()); err != nil {
			return nil, fmt.Errorf("read the snapshot: %w", err)
		}
	}
	if r.last, err = r.store.LastIndex(); err != nil {
		return nil, err
	}
	r.node, err = raft.NewRawNode(&raft.Config{
		ID: c.cfg.ID, Storage: r.store, Applied: index, AsyncStorageWrites: true,
		HeartbeatTick: 1, ElectionTick: electionTicks, CheckQuorum: true, PreVote: true,
		ReadOnlyOption: raft.ReadOnlySafe, DisableProposalForwarding: true, StepDownOnRemoval: true,
		DisableConfChangeValidation: c.mutant.twoChanges,
		MaxSizePerMsg:               256 << 10, MaxInflightMsgs: 64, MaxUncommittedEntriesSize: 8 << 20, Logger: silent{},
	})
	return r, err
}

// firstLog is how the log of a birth begins at each of its first voters: with a snapshot at index 1, so that a voter that comes later needs
// a snapshot too, and never finds entries of a past without voters.
func firstLog(b Birth, voters []Voter) *Saved {
	s := newState(b)
	s.table.index = 1
	conf := &pb.ConfState{}
	for _, v := range slices.SortedFunc(slices.Values(voters), func(a, b Voter) int { return cmp.Compare(a.ID, b.ID) }) {
		s.voters[v.ID] = v.Name
		conf.Voters = append(conf.Voters, v.ID)
	}
	return &Saved{Birth: b, Hard: &pb.HardState{Term: new(uint64(1)), Vote: new(uint64(0)), Commit: new(uint64(1))},
		Snapshot: newSnapshot(1, 1, conf, s.encode())}
}

func newSnapshot(index, term uint64, conf *pb.ConfState, data []byte) *pb.Snapshot {
	return &pb.Snapshot{Data: data, Metadata: &pb.SnapshotMetadata{ConfState: conf, Index: new(index), Term: new(term)}}
}

// snapshot returns the state at the applied index.
func (c *Core) snapshot(r *raftNode) *pb.Snapshot {
	if c.mutant.oldSnapshot && c.firstSnapshot != nil {
		return c.firstSnapshot
	}
	return newSnapshot(r.applied, r.term, proto.Clone(r.conf).(*pb.ConfState), r.state.encode())
}

// ready carries out what raft has to do, until there is nothing.
func (c *Core) ready() {
	r := c.raft
	for r != nil && r.node.HasReady() {
		rd := r.node.Ready()
		if rd.SoftState != nil {
			c.leadershipChanged()
		}
		for _, rs := range rd.ReadStates {
			c.roundDone(rs)
		}
		for _, m := range rd.Messages {
			switch m.GetTo() {
			case raft.LocalAppendThread:
				c.persistLog(m)
			case raft.LocalApplyThread:
				c.applyEntries(m)
			default:
				c.sendRaft(m)
			}
		}
	}
}

// sendRaft sends a message to another voter, if its name is known.
func (c *Core) sendRaft(m *pb.Message) {
	if m.GetType() == pb.MsgHeartbeat && len(m.GetContext()) == 8 {
		c.raft.readAsked = max(c.raft.readAsked, leUint64(m.GetContext()))
	}
	if name := c.voterName(m.GetTo()); name != "" {
		c.send(name, &RaftFrame{Birth: c.birth, Message: m})
	}
}

// voterName returns the name of a voter: as the log has it, or as the sender of a message, which may know more of the log.
func (c *Core) voterName(id uint64) string {
	if name := c.raft.state.voters[id]; name != "" {
		return name
	}
	return c.learned[id]
}

// lead returns the raft ID of the leader that this voter follows or is, 0 if there is none, and its term.
func (r *raftNode) lead() (id, term uint64) {
	s := r.node.BasicStatus()
	return s.Lead, s.GetTerm()
}

// silent is a logger for raft: the core reports what matters. A panic of raft is a panic, see [Failed].
type silent struct{}

func (silent) Debug(...any)            {}
func (silent) Debugf(string, ...any)   {}
func (silent) Error(...any)            {}
func (silent) Errorf(string, ...any)   {}
func (silent) Info(...any)             {}
func (silent) Infof(string, ...any)    {}
func (silent) Warning(...any)          {}
func (silent) Warningf(string, ...any) {}

func (silent) Fatal(v ...any)                 { panic(fmt.Sprint(v...)) }
func (silent) Fatalf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }
func (silent) Panic(v ...any)                 { panic(fmt.Sprint(v...)) }
func (silent) Panicf(format string, v ...any) { panic(fmt.Sprintf(format, v...)) }

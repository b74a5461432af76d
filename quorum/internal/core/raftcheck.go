package core

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/confchange"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// Bounds on what messages of voters name. A log never comes near to those of terms and indexes.
const (
	maxNames = 64 // voters whose names are learned from messages alone
	maxTerm  = 1 << 48
	maxIndex = 1<<indexBits - 1
)

// receiveRaft takes a message of another voter. raft trusts its peers and panics on some of what they could send, so it is
// checked before.
func (c *Core) receiveRaft(from string, f *RaftFrame) {
	m := f.Message
	if c.cfg.ID == 0 || m.GetTo() != c.cfg.ID {
		return // for an identity that this member had before it lost its disk
	}
	if c.raft == nil {
		if len(c.unsaved) > 0 && c.unsaved[0].start != nil {
			return // the first log is not durable yet
		}
		c.startRaft(Saved{}) // a newcomer: what it needs comes as a snapshot
	}
	if err := c.checkRaft(from, m); err != nil {
		c.emit(Rejected{Peer: from, Reason: err.Error()})
		return
	}
	c.noteVoter(m.GetFrom(), from)
	_ = c.raft.node.Step(m) // what is outdated or not for this state is refused, which is normal
	if lead, _ := c.raft.lead(); lead == m.GetFrom() && fromLeader(m.GetType()) {
		c.election.reset(c)
	}
}

// noteVoter notes the name of a voter and that it lives. The log may not name it yet: a candidate can know more of the log than this
// member, and needs an answer.
func (c *Core) noteVoter(id uint64, name string) {
	if _, known := c.learned[id]; !known && len(c.learned) >= maxNames {
		maps.DeleteFunc(c.learned, func(id uint64, _ string) bool { return !confHas(c.raft.conf, id) })
		maps.DeleteFunc(c.heard, func(id uint64, _ time.Duration) bool { return !confHas(c.raft.conf, id) })
	}
	c.learned[id], c.heard[id] = name, c.now.Running
}

// fromLeader reports whether only a leader sends such messages.
func fromLeader(t pb.MessageType) bool {
	return t == pb.MsgApp || t == pb.MsgHeartbeat || t == pb.MsgSnap
}

func (c *Core) checkRaft(from string, m *pb.Message) error {
	if name := c.raft.state.voters[m.GetFrom()]; m.GetFrom() == 0 || m.GetFrom() == c.cfg.ID || name != "" && name != from {
		return fmt.Errorf("a message of voter %x, which is %q", m.GetFrom(), name)
	}
	if m.GetTerm() == 0 || m.GetTerm() > maxTerm || m.GetIndex() > maxIndex {
		return fmt.Errorf("a message of term %d about entry %d", m.GetTerm(), m.GetIndex())
	}
	if t := m.GetType(); (t == pb.MsgHeartbeatResp || t == pb.MsgAppResp) && (c.lead == nil || m.GetTerm() != c.lead.term) {
		return nil // raft ignores it: the answer to a leader that this voter was
	}
	switch m.GetType() {
	case pb.MsgHeartbeat:
		if n := len(m.GetContext()); n != 0 && n != 8 || m.GetCommit() > c.raft.last {
			return fmt.Errorf("a heartbeat with commit %d, last entry is %d", m.GetCommit(), c.raft.last)
		}
	case pb.MsgHeartbeatResp:
		if b := m.GetContext(); len(b) != 0 && (len(b) != 8 || leUint64(b) > c.raft.readAsked) {
			return errors.New("a heartbeat response to a round that never was")
		}
	case pb.MsgAppResp:
		if m.GetIndex() > c.raft.last && !m.GetReject() {
			return fmt.Errorf("an acknowledgement of entry %d, last entry is %d", m.GetIndex(), c.raft.last)
		}
	case pb.MsgApp:
		return checkEntries(m)
	case pb.MsgSnap:
		return checkSnapshot(m.GetSnapshot())
	case pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgTimeoutNow:
	default:
		return fmt.Errorf("a message of type %v", m.GetType())
	}
	return nil
}

// checkEntries checks what raft takes for granted: indexes in a row, terms that do not fall, changes of voters that can be read.
func checkEntries(m *pb.Message) error {
	term := m.GetLogTerm()
	for i, e := range m.GetEntries() {
		if e.GetIndex() != m.GetIndex()+1+uint64(i) || e.GetTerm() < term || e.GetTerm() > m.GetTerm() {
			return fmt.Errorf("entry %d of term %d out of order", e.GetIndex(), e.GetTerm())
		}
		term = e.GetTerm()
		switch e.GetType() {
		case pb.EntryNormal:
		case pb.EntryConfChange:
			if err := proto.Unmarshal(e.GetData(), &pb.ConfChange{}); err != nil {
				return fmt.Errorf("a change of voters: %w", err)
			}
		case pb.EntryConfChangeV2:
			if err := proto.Unmarshal(e.GetData(), &pb.ConfChangeV2{}); err != nil {
				return fmt.Errorf("a change of voters: %w", err)
			}
		default:
			return fmt.Errorf("an entry of type %v", e.GetType())
		}
	}
	return nil
}

func checkSnapshot(s *pb.Snapshot) error {
	if raft.IsEmptySnap(s) || len(s.GetData()) > maxSnapshot || s.GetMetadata().GetIndex() > maxIndex || s.GetMetadata().GetTerm() > maxTerm {
		return fmt.Errorf("a snapshot of %d bytes at index %d", len(s.GetData()), s.GetMetadata().GetIndex())
	}
	conf := s.GetMetadata().GetConfState()
	if len(conf.GetVoters()) == 0 || len(conf.GetVoters())+len(conf.GetVotersOutgoing())+len(conf.GetLearners())+len(conf.GetLearnersNext()) > maxNames {
		return errors.New("a snapshot with a configuration that cannot be")
	}
	if _, _, err := confchange.Restore(confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 0), LastIndex: s.GetMetadata().GetIndex()}, conf); err != nil {
		return fmt.Errorf("a snapshot with a configuration that cannot be: %w", err)
	}
	_, err := parseState(s.GetData())
	return err
}

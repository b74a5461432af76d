package core

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func frames() []Frame {
	return []Frame{
		&RaftFrame{Birth: 1, Message: &pb.Message{Type: pb.MsgApp.Enum(), To: new(uint64(2)), From: new(uint64(3)), Term: new(uint64(4)),
			Entries: []*pb.Entry{{Index: new(uint64(9)), Term: new(uint64(4)), Data: []byte("x")}}}},
		&RenewFrame{Birth: 1, Session: 2, Nonce: 3, Sent: 4, Zone: "a", Replaces: 5, Table: 6, Drain: true, End: true,
			Serves:   []GroupSettings{{Name: "orders", Shards: 8, Level: Fenced, Copies: 2, Weight: 3, Return: time.Minute, Moves: 5}, {Name: "b"}},
			Releases: []Hold{{1, 0, 7}, {2, 65535, 1 << 63}}, Older: 9, CameFrom: 10},
		&EndedFrame{Birth: 1, Into: 2},
		&RenewedFrame{Birth: 1, Term: 2, Session: 3, Nonce: 4, Sent: 5, Gone: true, Drain: true, Votes: true, Wait: true},
		&RevokeFrame{Birth: 1, Session: 2, Holds: []Hold{{3, 4, 5}}},
		&TableFrame{Birth: 1, Term: 2, Prev: 3, Last: 4, Entries: []TableEntry{{4, []byte{1}}}},
		&TableFrame{Birth: 1, Term: 2, Last: 4, Whole: []byte{1, 2}},
		&RequestFrame{Birth: 1, ID: 2, Kind: requestPut, Key: "k", Value: []byte("v"), Prev: 3, Session: 4},
		&RequestFrame{Birth: 1, ID: 2, Kind: requestExclude, Group: "orders", Shard: 7, Member: "n1", Undo: true},
		&RequestFrame{Birth: 1, ID: 2, Kind: requestWatch, Key: "a/", Prev: 3, After: "a/b"},
		&ResponseFrame{Birth: 1, ID: 2, Index: 3, Whole: true, More: true, Changes: []MapChange{{Key: "k", Value: []byte("v"), Index: 3}, {Key: "l", Index: 2, Deleted: true}}},
		&ResponseFrame{Birth: 1, ID: 2, Code: Full, Used: 5},
		&ResponseFrame{Birth: 1, ID: 2, Code: Conflict, Index: 3, Value: []byte("v"), At: 4},
		&NotLeaderFrame{Birth: 1, Term: 2, Leader: "n1", ID: 3},
	}
}

func TestFramesSurviveTheirEncoding(t *testing.T) {
	for _, f := range frames() {
		got, err := ParseFrame(AppendFrame(nil, f))
		if err != nil {
			t.Errorf("%T: %v", f, err)
			continue
		}
		if diff := cmp.Diff(f, got, cmp.Comparer(func(a, b *pb.Message) bool { return proto.Equal(a, b) })); diff != "" {
			t.Errorf("%T (-want +got):\n%s", f, diff)
		}
	}
}

func TestEveryKindOfFrameIsInTheTestOfTheEncoding(t *testing.T) {
	kinds := map[reflect.Type]bool{}
	for _, f := range frames() {
		kinds[reflect.TypeOf(f)] = true
	}
	if len(kinds) != frameEnded {
		t.Errorf("%d kinds are tested, there are %d", len(kinds), frameEnded)
	}
}

func TestFramesThatAreCutOffAreErrorsAndNeverPanic(t *testing.T) {
	for _, f := range frames() {
		b := AppendFrame(nil, f)
		for n := range b {
			if _, err := ParseFrame(b[:n]); err == nil {
				t.Errorf("%T: %d of %d bytes are taken for a frame", f, n, len(b))
			} else if !errors.Is(err, errFormat) {
				t.Errorf("%T: %v is not an error of format", f, err)
			}
		}
	}
}

func TestEntriesSurviveTheirEncoding(t *testing.T) {
	ops := []op{
		{kind: opOpen, name: "n", zone: "z", nonce: 1<<64 - 1, session: 3},
		{kind: opServe, session: 1, name: "g", weight: 2, shards: 3, level: 1, copies: 2, returns: 9},
		{kind: opStandby, group: 1, shard: 2, standby: []uint64{4, 5}},
		{kind: opPut, key: "k", value: []byte("v"), token: 9, session: 1},
	}
	got, err := parseEntry(appendEntry(nil, ops))
	if err != nil || !reflect.DeepEqual(got, ops) {
		t.Errorf("parseEntry = %+v, %v, want %+v", got, err, ops)
	}
}

func TestValuesBeyondTheirBoundsAreRefusedByTheDecoder(t *testing.T) {
	for name, b := range map[string][]byte{
		"a value":    AppendFrame(nil, &RequestFrame{Birth: 1, Kind: requestPut, Key: "k", Value: make([]byte, MaxValue+1)}),
		"a key":      AppendFrame(nil, &RequestFrame{Birth: 1, Kind: requestPut, Key: string(make([]byte, MaxKey+1))}),
		"a kind":     AppendFrame(nil, &RequestFrame{Birth: 1, Kind: 99}),
		"a change":   AppendFrame(nil, &ResponseFrame{Birth: 1, Changes: []MapChange{{Key: string(make([]byte, MaxKey+1))}}}),
		"a weight":   AppendFrame(nil, &RenewFrame{Serves: []GroupSettings{{Weight: 1 << 30}}}),
		"shards":     AppendFrame(nil, &RevokeFrame{Holds: []Hold{{1, MaxShards, 1}}}),
		"many":       AppendFrame(nil, &RevokeFrame{Holds: make([]Hold, maxHolds+1)}),
		"no frame":   {},
		"a stranger": {0x7a, 0},
	} {
		if f, err := ParseFrame(b); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	for _, frame := range frames() {
		f.Add(AppendFrame(nil, frame))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ParseFrame(b)
		if err != nil {
			return
		}
		again := AppendFrame(nil, frame)
		if back, err := ParseFrame(again); err != nil || !bytes.Equal(AppendFrame(nil, back), again) {
			t.Errorf("%+v: the encoding of what was read cannot be read: %v", frame, err)
		}
	})
}

func FuzzParseState(f *testing.F) {
	s := newSimulation(3, 1)
	s.start()
	s.run(3e9)
	f.Add(s.leader().core.raft.state.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if st, err := parseState(b); err == nil {
			if _, err := parseState(st.encode()); err != nil {
				t.Error(err)
			}
		}
	})
}

// Members are trusted to follow the protocol as far as their keys or certificates go. But what one sends must not stop another.
func TestNothingThatAMemberSendsStopsAVoter(t *testing.T) {
	for round := range uint64(60) {
		s := newSimulation(3, round)
		s.start()
		s.until(5*time.Second, s.allHeld)
		rng := rand.New(rand.NewPCG(round, 2))
		victim, peer := s.leader(), s.follower()
		if round%2 == 1 {
			victim, peer = peer, victim
		}
		for range 500 {
			f := hostile(rng, s.birth, peer.disk.id, victim.disk.id)
			for _, o := range victim.core.Step(victim.now(), Received{From: peer.name, Frame: f}) {
				if failed, ok := o.(Failed); ok {
					t.Fatalf("%+v stops it: %s", f, failed.Reason)
				}
				if p, ok := o.(Persist); ok && !victim.core.failed {
					victim.core.Step(victim.now(), Persisted{p.Seq})
				}
			}
		}
		if victim.core.failed {
			t.Errorf("round %d: it has stopped", round)
		}
	}
}

// hostile returns a frame that is damaged, or that no member would send.
func hostile(rng *rand.Rand, b Birth, from, to uint64) Frame {
	for {
		f := frames()[rng.IntN(len(frames()))]
		r, ok := f.(*RaftFrame)
		if ok {
			r.Message = randomMessage(rng, from, to)
		}
		raw := AppendFrame(nil, f)
		for range rng.IntN(3) {
			raw[rng.IntN(len(raw))] = byte(rng.Uint32())
		}
		switch f, err := ParseFrame(raw); f := f.(type) {
		case *RaftFrame:
			f.Birth = b
			return f
		case *RenewFrame:
			f.Birth = b
			return f
		case *TableFrame:
			f.Birth = b
			return f
		case *RequestFrame:
			f.Birth = b
			return f
		default:
			if err == nil {
				return f
			}
		}
	}
}

// randomMessage returns a message as a broken or hostile voter may send it.
func randomMessage(rng *rand.Rand, from, to uint64) *pb.Message {
	number := func() *uint64 {
		return new([]uint64{0, 1, 2, uint64(rng.IntN(20)), 1 << 40, 1<<64 - 1}[rng.IntN(6)])
	}
	m := &pb.Message{Type: pb.MessageType(rng.IntN(24)).Enum(), From: new(from), To: new(to), Term: new(uint64(1 + rng.IntN(4))), Index: number(),
		LogTerm: new(uint64(rng.IntN(6))), Commit: number(), Reject: new(rng.IntN(2) == 0), RejectHint: number(), Vote: number()}
	for range rng.IntN(3) {
		m.Entries = append(m.Entries, &pb.Entry{Index: number(), Term: number(), Type: pb.EntryType(rng.IntN(4)).Enum(), Data: []byte{byte(rng.Uint32())}})
	}
	if rng.IntN(4) == 0 {
		m.Context = make([]byte, rng.IntN(10))
	}
	if rng.IntN(4) == 0 {
		m.Snapshot = newSnapshot(*number(), *number(), &pb.ConfState{Voters: []uint64{from, to, *number()}}, []byte{byte(rng.Uint32()), 0})
	}
	return m
}

package core

import (
	"fmt"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Kinds of frames: the number of the one field of a frame's outer message.
const (
	frameRaft = iota + 1
	frameRenew
	frameRenewed
	frameRevoke
	frameTable
	frameRequest
	frameResponse
	frameNotLeader
	frameEnded
)

// MaxFrame bounds the bytes of an encoded frame: a snapshot, and what is around it.
const MaxFrame = maxSnapshot + 1<<16

// AppendFrame appends the encoding of a frame, in protobuf's wire format.
func AppendFrame(b []byte, f Frame) []byte {
	switch f := f.(type) {
	case *RaftFrame:
		m, err := proto.MarshalOptions{Deterministic: true}.Marshal(f.Message)
		must(err) // every message of raft can be encoded
		return appendMessage(b, frameRaft, appendMessage(appendNumber(nil, 1, uint64(f.Birth)), 2, m))
	case *RenewFrame:
		return appendMessage(b, frameRenew, f.append(nil))
	case *RenewedFrame:
		m := appendNumbers(nil, uint64(f.Birth), f.Term, f.Session, f.Nonce, f.Sent)
		return appendMessage(b, frameRenewed, appendBool(appendBool(appendBool(appendBool(m, 6, f.Gone), 7, f.Votes), 8, f.Wait), 9, f.Drain))
	case *RevokeFrame:
		return appendMessage(b, frameRevoke, appendHolds(appendNumbers(nil, uint64(f.Birth), f.Session), 3, f.Holds))
	case *TableFrame:
		return appendMessage(b, frameTable, f.append(nil))
	case *RequestFrame:
		m := appendNumbers(nil, uint64(f.Birth), f.ID, uint64(f.Kind), f.Prev, f.Session)
		m = appendText(appendText(m, 6, f.Key), 7, f.Value)
		m = appendText(appendNumber(appendText(m, 8, f.Group), 9, uint64(f.Shard)), 10, f.Member)
		return appendMessage(b, frameRequest, appendText(appendBool(m, 11, f.Undo), 12, f.After))
	case *ResponseFrame:
		m := appendNumbers(nil, uint64(f.Birth), f.ID, uint64(f.Code), f.Index, f.At)
		m = appendBool(appendBool(appendText(m, 6, f.Value), 7, f.Whole), 8, f.More)
		return appendMessage(b, frameResponse, appendNumber(appendChanges(m, 9, f.Changes), 10, f.Used))
	case *EndedFrame:
		return appendMessage(b, frameEnded, appendNumbers(nil, uint64(f.Birth), uint64(f.Into)))
	case *NotLeaderFrame:
		m := appendNumbers(nil, uint64(f.Birth), f.Term, f.ID)
		return appendMessage(b, frameNotLeader, appendText(m, 4, f.Leader))
	}
	panic(fmt.Sprintf("a frame of type %T", f))
}

// ParseFrame is the inverse of [AppendFrame]. It allocates no more than a small multiple of the bytes that are there; the
// result refers to them. Its error describes what is wrong with the format.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) > MaxFrame {
		return nil, fmt.Errorf("%w: a frame of %d bytes, at most %d are allowed", errFormat, len(b), MaxFrame)
	}
	var out Frame
	err := eachField(b, func(f field) (err error) {
		if f.typ == protowire.BytesType && out == nil {
			out, err = parseBody(int(f.num), f.data)
		}
		return err
	})
	if err == nil && out == nil {
		err = fmt.Errorf("%w: no frame of a known kind", errFormat)
	}
	return out, err
}

func parseBody(kind int, b []byte) (Frame, error) {
	switch kind {
	case frameRaft:
		return parseRaft(b)
	case frameRenew:
		return parseRenew(b)
	case frameRenewed:
		f := &RenewedFrame{}
		return f, parseInto(b, []*uint64{(*uint64)(&f.Birth), &f.Term, &f.Session, &f.Nonce, &f.Sent}, func(v field) error {
			switch v.num {
			case 6:
				return v.bool(&f.Gone)
			case 7:
				return v.bool(&f.Votes)
			case 8:
				return v.bool(&f.Wait)
			case 9:
				return v.bool(&f.Drain)
			}
			return nil
		})
	case frameRevoke:
		f := &RevokeFrame{}
		return f, parseInto(b, []*uint64{(*uint64)(&f.Birth), &f.Session}, func(v field) error { return parseHold(v, &f.Holds) })
	case frameTable:
		return parseTableFrame(b)
	case frameRequest:
		return parseRequest(b)
	case frameResponse:
		return parseResponse(b)
	case frameEnded:
		f := &EndedFrame{}
		return f, parseInto(b, []*uint64{(*uint64)(&f.Birth), (*uint64)(&f.Into)}, func(field) error { return nil })
	case frameNotLeader:
		f := &NotLeaderFrame{}
		return f, parseInto(b, []*uint64{(*uint64)(&f.Birth), &f.Term, &f.ID}, func(v field) error { return v.text(&f.Leader, MaxName) })
	}
	return nil, nil
}

// appendNumbers appends the fields from 1 on.
func appendNumbers(b []byte, values ...uint64) []byte {
	for i, v := range values {
		b = appendNumber(b, protowire.Number(i+1), v)
	}
	return b
}

// parseInto reads the fields from 1 on into numbers, and hands the others to rest.
func parseInto(b []byte, numbers []*uint64, rest func(field) error) error {
	return eachField(b, func(f field) error {
		if int(f.num) <= len(numbers) {
			return f.number(numbers[f.num-1])
		}
		return rest(f)
	})
}

func parseRaft(b []byte) (Frame, error) {
	f := &RaftFrame{Message: &pb.Message{}}
	err := parseInto(b, []*uint64{(*uint64)(&f.Birth)}, func(v field) error {
		var raw []byte
		if err := v.bytes(&raw, MaxFrame); err != nil {
			return err
		}
		if err := proto.Unmarshal(raw, f.Message); err != nil {
			return fmt.Errorf("%w: %w", errFormat, err)
		}
		return nil
	})
	return f, err
}

func parseRequest(b []byte) (Frame, error) {
	f := &RequestFrame{}
	var kind, shard uint64
	err := parseInto(b, []*uint64{(*uint64)(&f.Birth), &f.ID, &kind, &f.Prev, &f.Session}, func(v field) error {
		switch v.num {
		case 6:
			return v.text(&f.Key, MaxKey)
		case 7:
			return v.bytes(&f.Value, MaxValue)
		case 8:
			return v.text(&f.Group, MaxName)
		case 9:
			return v.number(&shard)
		case 10:
			return v.text(&f.Member, MaxName)
		case 11:
			return v.bool(&f.Undo)
		case 12:
			return v.text(&f.After, MaxKey)
		}
		return nil
	})
	if err == nil && (kind < requestRead || kind > requestTransfer && kind != requestWatch || shard >= MaxShards) {
		return nil, fmt.Errorf("%w: a request of kind %d on shard %d", errFormat, kind, shard)
	}
	f.Kind, f.Shard = uint8(kind), int(shard)
	return f, err
}

func parseResponse(b []byte) (Frame, error) {
	f := &ResponseFrame{}
	var code uint64
	err := parseInto(b, []*uint64{(*uint64)(&f.Birth), &f.ID, &code, &f.Index, &f.At}, func(v field) error {
		switch v.num {
		case 6:
			return v.bytes(&f.Value, MaxValue)
		case 7:
			return v.bool(&f.Whole)
		case 8:
			return v.bool(&f.More)
		case 9:
			return parseMapChange(v, &f.Changes)
		case 10:
			return v.number(&f.Used)
		}
		return nil
	})
	if f.Code = Code(code); code > uint64(Pinned) {
		f.Code = Unknown
	}
	return f, err
}

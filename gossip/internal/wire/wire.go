// Package wire turns the frames of [core] into bytes and back.
//
// A stream is a sequence of frames, each
//
//	length  4 bytes, big-endian: of what follows, 1 to the limit of the reader
//	type    1 byte
//	fields  as Protocol Buffers encode them (https://protobuf.dev/programming-guides/encoding/)
//
// A field that a reader does not know is skipped, and so is a frame of an unknown type: two versions of the protocol
// understand each other as far as both go. A frame that is malformed, or larger than its reader allows, is an error
// of that stream; nothing is allocated by a length that was not checked.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

const (
	// Protocol is the version of the protocol that this package speaks.
	Protocol = 2
	// MaxFrame is the largest body of a frame, in bytes, after the handshake.
	MaxFrame = 1 << 20
	// MaxHandshake is the largest body of a frame before the sender is known.
	MaxHandshake = 4 << 10

	headerSize = 4
)

// The types of frames. Numbers are never used again for something else.
const (
	typeHello   = 1
	typeRefuse  = 2
	typeBeat    = 3
	typeBuckets = 4
	typeDigest  = 5
	typeDelta   = 6
	typeBye     = 7

	typeSharedBuckets = 8
	typeSharedDigest  = 9
	typeSharedDelta   = 10
	typeAsk           = 11
	typeAnswer        = 12
	typeAnnounce      = 13
	typeLazy          = 14
	typeOpen          = 15
	typeOpened        = 16
)

// ErrMalformed is wrapped by every error about the content of a frame.
var ErrMalformed = errors.New("malformed frame")

// Append appends a frame to b. It is an error if the frame breaks a limit.
func Append(b []byte, f core.Frame) ([]byte, error) {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	switch f := f.(type) {
	case *core.Hello:
		b = appendHello(append(b, typeHello), f)
	case *core.Refuse:
		b = appendRefuse(append(b, typeRefuse), f)
	case *core.Beat:
		b = appendBeat(append(b, typeBeat), f)
	case *core.Buckets:
		b = appendBuckets(append(b, typeBuckets), f)
	case *core.Digest:
		b = appendDigest(append(b, typeDigest), f)
	case *core.Delta:
		b = appendDelta(append(b, typeDelta), f)
	case *core.SharedBuckets:
		b = appendSharedBuckets(append(b, typeSharedBuckets), f)
	case *core.SharedDigest:
		b = appendSharedDigest(append(b, typeSharedDigest), f)
	case *core.SharedDelta:
		b = appendSharedDelta(append(b, typeSharedDelta), f)
	case *core.SharedAnnounce:
		b = appendVersions(append(b, typeAnnounce), f.Entries)
	case *core.Lazy:
		b = appendBool(append(b, typeLazy), lazyOn, f.On)
	case *core.Ask:
		b = appendVersions(append(b, typeAsk), f.Versions)
	case *core.Answer:
		b = appendAnswer(append(b, typeAnswer), f)
	case *core.Open:
		b = appendString(append(b, typeOpen), openProtocol, f.Protocol)
	case *core.Opened:
		b = appendVarint(append(b, typeOpened), openedStatus, uint64(f.Status))
	case *core.Bye:
		b = appendBye(append(b, typeBye), f)
	default:
		return b[:start], fmt.Errorf("frame of unknown type %T", f)
	}
	n := len(b) - start - headerSize
	if n > MaxFrame {
		return b[:start], fmt.Errorf("frame of %d bytes, at most %d are possible", n, MaxFrame)
	}
	binary.BigEndian.PutUint32(b[start:], uint32(n))
	return b, nil
}

// Decode reads the body of one frame: its type and fields. A type that is not known gives nil, nil.
func Decode(body []byte) (core.Frame, error) {
	if len(body) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	}
	fields := body[1:]
	switch body[0] {
	case typeHello:
		return decode(fields, "hello", new(core.Hello), helloField)
	case typeRefuse:
		return decode(fields, "refuse", new(core.Refuse), refuseField)
	case typeBeat:
		return decode(fields, "beat", new(core.Beat), beatField)
	case typeBuckets:
		return decodeBuckets(fields)
	case typeDigest:
		last, d := uint64(0), &core.Digest{Entries: roomFor[core.DigestEntry](fields, digestEntry)}
		return decode(fields, "digest", d, func(d *core.Digest, f field) error { return digestField(d, f, &last) })
	case typeDelta:
		s, d := newDeltaState(len(fields)), &core.Delta{Records: roomFor[core.RecordDelta](fields, deltaRecord)}
		return decode(fields, "delta", d, func(d *core.Delta, f field) error { return deltaField(d, f, &s) })
	case typeSharedBuckets:
		return decodeSharedBuckets(fields)
	case typeSharedDigest:
		return decode(fields, "shared digest", new(core.SharedDigest), sharedDigestField)
	case typeSharedDelta:
		return decode(fields, "shared delta", new(core.SharedDelta), sharedDeltaField)
	case typeAnnounce:
		return decode(fields, "announce", new(core.SharedAnnounce), announceField)
	case typeLazy:
		return decode(fields, "lazy", new(core.Lazy), lazyField)
	case typeAsk:
		return decode(fields, "ask", new(core.Ask), askField)
	case typeAnswer:
		return decode(fields, "answer", new(core.Answer), answerField)
	case typeOpen:
		return decode(fields, "open", new(core.Open), openField)
	case typeOpened:
		return decode(fields, "opened", new(core.Opened), openedField)
	case typeBye:
		return decode(fields, "bye", new(core.Bye), byeField)
	}
	return nil, nil
}

// Reader reads frames from a stream. It is not safe for concurrent use.
type Reader struct {
	in    *bufio.Reader
	limit uint32
	skips uint64
}

// NewReader returns a reader that accepts bodies up to [MaxHandshake]. It decodes those that fit into the buffer of the stream where
// they are, and keeps no memory for the others.
func NewReader(in *bufio.Reader) *Reader { return &Reader{in: in, limit: MaxHandshake} }

// Trust raises the limit to [MaxFrame]: the sender is known.
func (r *Reader) Trust() { r.limit = MaxFrame }

// Skipped returns how many frames of unknown types were passed over.
func (r *Reader) Skipped() uint64 { return r.skips }

// Read returns the next frame of a known type. At the end of the stream, between two frames, it returns io.EOF; an
// error within a frame wraps io.ErrUnexpectedEOF. After an error the stream is of no more use.
func (r *Reader) Read() (core.Frame, error) {
	for {
		body, err := r.next()
		if err != nil {
			return nil, err
		}
		f, err := Decode(body)
		if err != nil || f != nil {
			return f, err
		}
		r.skips++
	}
}

// next returns the next body, which is valid until the next call.
func (r *Reader) next() ([]byte, error) {
	head, err := r.in.Peek(headerSize)
	if err != nil {
		return nil, within(len(head), err)
	}
	return r.body(binary.BigEndian.Uint32(head))
}

// body returns the body of a frame whose header claims n bytes.
func (r *Reader) body(n uint32) (body []byte, err error) {
	if n == 0 || n > r.limit {
		return nil, fmt.Errorf("%w: it claims %d bytes, 1 to %d are allowed", ErrMalformed, n, r.limit)
	}
	_, _ = r.in.Discard(headerSize) // it is in the buffer
	if int(n) <= r.in.Size() {
		body, err = r.in.Peek(int(n))
		_, _ = r.in.Discard(len(body)) // as is this
	} else {
		body = make([]byte, n)
		_, err = io.ReadFull(r.in, body)
	}
	if err != nil {
		return nil, within(headerSize, err)
	}
	return body, nil
}

// within marks an error after some bytes of a frame.
func within(read int, err error) error {
	if read == 0 || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
}

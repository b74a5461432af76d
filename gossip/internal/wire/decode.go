package wire

import (
	"encoding/binary"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// maxReason is the longest reason of a Refuse, in bytes.
const maxReason = 255

// maxItems bounds the records of a digest, and the records and the entries of a delta: empty ones take 2 bytes on the wire and fifty
// times that in memory. A sender that splits deltas at 64 KiB stays far below.
const maxItems = 1 << 15

// maxAddr is the longest address, in bytes: a name of 253, a port and brackets.
const maxAddr = 262

// field is one field of a message.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  uint64 // of a varint or of 8 fixed bytes
	bytes  []byte // of everything that has a length
}

// uint returns the value as an unsigned number of so many bits.
func (f *field) uint(bits int) (uint64, error) {
	if f.kind != protowire.VarintType && f.kind != protowire.Fixed64Type {
		return 0, fmt.Errorf("field %d is not a number", f.number)
	}
	if bits == 64 || f.value < 1<<bits {
		return f.value, nil
	}
	return 0, fmt.Errorf("field %d is larger than %d bits", f.number, bits)
}

// string returns a copy of the value of at most so many bytes.
func (f *field) string(most int) (string, error) {
	if f.kind != protowire.BytesType {
		return "", fmt.Errorf("field %d is not text", f.number)
	}
	if len(f.bytes) > most {
		return "", fmt.Errorf("field %d has %d bytes, at most %d are possible", f.number, len(f.bytes), most)
	}
	return string(f.bytes), nil
}

// roomFor returns an empty list with room for all messages of a field: at most as many as there are bytes to decode, and maxItems. A
// frame that is malformed further on gets less.
func roomFor[T any](b []byte, number protowire.Number) []T {
	n := countFields(b, number)
	if n == 0 {
		return nil
	}
	return make([]T, 0, n)
}

// countFields returns how many of the fields of a message have one of the numbers, up to maxItems. In a message that is malformed it counts
// those before.
func countFields(b []byte, numbers ...protowire.Number) (n int) {
	for len(b) > 0 && n < maxItems {
		num, _, size := protowire.ConsumeField(b)
		if size < 0 {
			break
		}
		if slices.Contains(numbers, num) {
			n++
		}
		b = b[size:]
	}
	return n
}

// message decodes the value as a message.
func message[T any](f field, into *T, set func(*T, field) error) error {
	if f.kind != protowire.BytesType {
		return fmt.Errorf("field %d is not a message", f.number)
	}
	return fields(f.bytes, into, set)
}

// fields calls set for each field of a message.
func fields[T any](b []byte, into *T, set func(*T, field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default: // of a later version
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := set(into, f); err != nil {
			return err
		}
	}
	return nil
}

// decode decodes a whole frame.
func decode[T any, P interface {
	*T
	core.Frame
}](b []byte, name string, into P, set func(*T, field) error) (core.Frame, error) {
	if err := fields(b, (*T)(into), set); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, name, err)
	}
	return into, nil
}

// The functions below set one field each; a number that is not known is skipped.

func helloField(h *core.Hello, f field) (err error) {
	switch f.number {
	case helloProtocol:
		var v uint64
		v, err = f.uint(16)
		h.Protocol = uint16(v)
	case helloCluster:
		h.Cluster, err = f.string(core.MaxID)
	case helloID:
		h.ID, err = f.string(core.MaxID)
	case helloGeneration:
		h.Generation, err = f.uint(64)
	case helloAddr:
		h.Addr, err = f.string(maxAddr)
	case helloClock:
		h.Clock, err = f.int63()
	case helloRejoin:
		h.Rejoin, err = f.bool()
	case helloAged:
		h.Aged, err = f.bool()
	case helloSince:
		var v uint64
		v, err = f.uint(63)
		h.Since = core.Moment(v)
	}
	return err
}

func refuseField(r *core.Refuse, f field) (err error) {
	if f.number == refuseReason {
		r.Reason, err = f.string(maxReason)
	}
	return err
}

func beatField(b *core.Beat, f field) (err error) {
	switch f.number {
	case beatHash:
		b.Hash, err = f.uint(64)
	case beatKnown:
		var v uint64
		v, err = f.uint(32)
		b.Known = uint32(v)
	case beatWanted:
		b.Wanted, err = f.bool()
	case beatEager:
		b.Eager, err = f.bool()
	case beatShared:
		b.Shared, err = f.uint(64)
	case beatClock:
		b.Clock, err = f.int63()
	case beatLag:
		var v uint64
		v, err = f.uint(32)
		b.Lag = uint32(v)
	}
	return err
}

func (f *field) int63() (int64, error) {
	v, err := f.uint(63)
	return int64(v), err
}

// zigzag returns a difference, to be added.
func (f *field) zigzag() (uint64, error) {
	v, err := f.uint(64)
	return uint64(protowire.DecodeZigZag(v)), err
}

func (f *field) bool() (bool, error) {
	v, err := f.uint(64)
	return v != 0, err
}

func decodeBuckets(b []byte) (core.Frame, error) {
	out := new(core.Buckets)
	if err := decodeHashes(b, &out.Hashes); err != nil {
		return nil, fmt.Errorf("%w: buckets: %w", ErrMalformed, err)
	}
	return out, nil
}

func decodeHashes(b []byte, out *[core.NumBuckets]uint64) error {
	found := false
	err := fields(b, out, func(out *[core.NumBuckets]uint64, f field) error {
		if f.number != bucketsHashes {
			return nil
		}
		if f.kind != protowire.BytesType || len(f.bytes) != 8*core.NumBuckets {
			return fmt.Errorf("want %d hashes of 8 bytes", core.NumBuckets)
		}
		for i := range out {
			out[i] = binary.LittleEndian.Uint64(f.bytes[8*i:])
		}
		found = true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("no hashes")
	}
	return err
}

// digestField knows the generation of the entry before.
func digestField(d *core.Digest, f field, last *uint64) (err error) {
	switch f.number {
	case digestMask:
		d.Mask, err = f.uint(64)
	case digestReply:
		d.Reply, err = f.bool()
	case digestEntry:
		if len(d.Entries) >= maxItems {
			return fmt.Errorf("more than %d records", maxItems)
		}
		d.Entries = append(d.Entries, core.DigestEntry{})
		e := &d.Entries[len(d.Entries)-1]
		err = message(f, e, digestEntryField)
		e.Generation += *last
		*last = e.Generation
	}
	return err
}

func digestEntryField(e *core.DigestEntry, f field) (err error) {
	switch f.number {
	case entryNode:
		var v uint64
		v, err = f.uint(64)
		e.Node = core.NodeID(v)
	case entryGeneration:
		e.Generation, err = f.zigzag()
	case entryVersion:
		e.Version, err = f.uint(64)
	case entryFloor:
		e.Floor, err = f.uint(64)
	case entrySeen:
		var v uint64
		v, err = f.uint(63)
		e.Seen = core.Moment(v)
	}
	return err
}

func openField(o *core.Open, f field) (err error) {
	if f.number == openProtocol {
		o.Protocol, err = f.string(core.MaxProtocol)
	}
	return err
}

func openedField(o *core.Opened, f field) error {
	if f.number != openedStatus {
		return nil
	}
	v, err := f.uint(8)
	o.Status = core.OpenStatus(v)
	return err
}

func byeField(b *core.Bye, f field) error {
	if f.number != byeReason {
		return nil
	}
	v, err := f.uint(8)
	b.Reason = core.ByeReason(v)
	return err
}

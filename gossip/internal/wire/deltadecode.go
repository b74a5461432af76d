package wire

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// deltaState is what decoding a delta keeps from record to record.
type deltaState struct {
	count      int    // links and entries of all records
	generation uint64 // of the record before
	links      slab[core.LinkEntry]
	entries    slab[core.Entry]
}

// newDeltaState returns the state at the beginning of a delta of so many bytes.
func newDeltaState(size int) deltaState {
	return deltaState{
		links:   slab[core.LinkEntry]{piece: min(size/minLink, 64)},
		entries: slab[core.Entry]{piece: min(size/minEntry, 32)},
	}
}

const (
	// minLink is the least size of a link, in bytes.
	minLink = 9
	// minEntry is the size of an entry with a key and a value of a few bytes each.
	minEntry = 16
)

// slab cuts lists out of pieces of memory: a frame has many short ones.
type slab[T any] struct {
	rest  []T
	piece int // length of a piece; a list that is longer is one of its own
}

// list returns an empty list with room for n.
func (s *slab[T]) list(n int) []T {
	if n > len(s.rest) {
		s.rest = make([]T, max(n, s.piece))
	}
	l := s.rest[:0:n]
	s.rest = s.rest[n:]
	return l
}

func deltaField(d *core.Delta, f field, s *deltaState) error {
	if f.number == deltaLast {
		var err error
		d.Last, err = f.bool()
		return err
	}
	if f.number != deltaRecord {
		return nil
	}
	if len(d.Records) >= maxItems {
		return fmt.Errorf("more than %d records", maxItems)
	}
	d.Records = append(d.Records, core.RecordDelta{})
	r := &d.Records[len(d.Records)-1]
	if n := countFields(f.bytes, recordEntry, recordAddr); n > 0 {
		r.Entries = s.entries.list(min(n, core.MaxEntries))
	}
	err := message(f, r, func(r *core.RecordDelta, f field) error { return recordField(r, f, s) })
	r.Generation += s.generation
	s.generation = r.Generation
	if r.Node == 0 && r.ID != "" {
		r.Node = core.HashID(r.ID)
	}
	if s.count += len(r.Links) + len(r.Entries); err == nil && s.count > maxItems {
		err = fmt.Errorf("more than %d entries", maxItems)
	}
	return err
}

func recordField(r *core.RecordDelta, f field, s *deltaState) (err error) {
	switch f.number {
	case recordNode:
		var v uint64
		v, err = f.uint(64)
		r.Node = core.NodeID(v)
	case recordID:
		r.ID, err = f.string(core.MaxID)
	case recordGeneration:
		r.Generation, err = f.zigzag()
	case recordFrom:
		r.From, err = f.uint(64)
	case recordTo:
		r.To, err = f.uint(64)
	case recordFloor:
		r.Floor, err = f.uint(64)
	case recordUrgent:
		r.Urgent, err = f.bool()
	case recordSeen:
		var v int64
		v, err = f.int63()
		r.Seen = core.Moment(v)
	case recordLinks:
		err = linksField(r, f, s)
	case recordEntry, recordAddr:
		if len(r.Links)+len(r.Entries) >= core.MaxEntries {
			return fmt.Errorf("a record of more than %d entries", core.MaxEntries)
		}
		r.Entries = append(r.Entries, core.Entry{})
		if e := &r.Entries[len(r.Entries)-1]; f.number == recordAddr {
			err = addrField(e, f)
		} else {
			err = message(f, e, entryField)
		}
	}
	return err
}

// linksField adds the links of a record, see appendLinks.
func linksField(r *core.RecordDelta, f field, s *deltaState) error {
	if f.kind != protowire.BytesType {
		return fmt.Errorf("links are not bytes")
	}
	if r.Links == nil {
		r.Links = s.links.list(min(len(f.bytes)/minLink, core.MaxEntries))
	}
	var last uint64
	for b := f.bytes; len(b) > 0; b = b[8:] {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 || len(b) < n+8 {
			return fmt.Errorf("a link is cut off")
		}
		if len(r.Links)+len(r.Entries) >= core.MaxEntries {
			return fmt.Errorf("a record of more than %d entries", core.MaxEntries)
		}
		b = b[n:]
		last += v >> 1
		r.Links = append(r.Links, core.Link(core.NodeID(binary.BigEndian.Uint64(b)), last, v&1 == 1))
	}
	return nil
}

// addrField sets the entry of an address, see appendAddr.
func addrField(e *core.Entry, f field) error {
	if f.kind != protowire.BytesType {
		return fmt.Errorf("an address is not bytes")
	}
	v, n := protowire.ConsumeVarint(f.bytes)
	if n < 0 || len(f.bytes)-n > core.MaxValue {
		return fmt.Errorf("an address breaks the format")
	}
	*e = core.Entry{Kind: core.KindMeta, Key: core.MetaAddr, Value: string(f.bytes[n:]), Version: v}
	return nil
}

func entryField(e *core.Entry, f field) (err error) {
	var v uint64
	switch f.number {
	case keyKind:
		v, err = f.uint(8)
		e.Kind = core.Kind(v)
	case keyKey:
		e.Key, err = f.string(core.MaxKey)
	case keyValue:
		e.Value, err = f.string(core.MaxValue)
	case keyVersion:
		e.Version, err = f.uint(64)
	case keyDeleted:
		e.Deleted, err = f.bool()
	}
	return err
}

package wire

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Field numbers. They are never used again for something else.
const (
	helloProtocol   = 1
	helloCluster    = 2
	helloID         = 3
	helloGeneration = 4
	helloAddr       = 5
	helloRejoin     = 6
	helloClock      = 7
	helloAged       = 8
	helloSince      = 9

	refuseReason = 1

	beatHash   = 1
	beatKnown  = 2
	beatWanted = 3
	beatEager  = 4
	beatShared = 5
	beatClock  = 6
	beatLag    = 7

	bucketsHashes = 1
	bucketsFloor  = 2

	digestMask  = 1
	digestEntry = 2
	digestReply = 3

	entryNode       = 1
	entryGeneration = 2 // see appendGeneration
	entryVersion    = 3
	entryFloor      = 4
	entrySeen       = 5

	deltaRecord = 1
	deltaLast   = 2

	recordNode       = 1
	recordID         = 2
	recordGeneration = 3 // see appendGeneration
	recordFrom       = 4
	recordTo         = 5
	recordFloor      = 6
	recordUrgent     = 7
	recordEntry      = 8
	recordLinks      = 9
	recordSeen       = 10
	recordAddr       = 11 // see appendAddr

	keyKind    = 1
	keyKey     = 2
	keyValue   = 3
	keyVersion = 4
	keyDeleted = 5

	openProtocol = 1

	openedStatus = 1

	byeReason = 1
)

// Zero values are not written.

func appendVarint(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendFixed(b []byte, field protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), v)
}

func appendBool(b []byte, field protowire.Number, v bool) []byte {
	return appendVarint(b, field, protowire.EncodeBool(v))
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

// appendMessage appends a message inside a message, behind its length. It is encoded in place and moved by the size of the length,
// which costs less than a buffer for each.
func appendMessage(b []byte, field protowire.Number, fill func([]byte) []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	start := len(b)
	b = fill(b)
	inner := len(b) - start
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(inner))
	b = append(b, length[:n]...)
	copy(b[start+n:], b[start:start+inner])
	copy(b[start:], length[:n])
	return b
}

func appendHello(b []byte, f *core.Hello) []byte {
	b = appendVarint(b, helloProtocol, uint64(f.Protocol))
	b = appendString(b, helloCluster, f.Cluster)
	b = appendString(b, helloID, f.ID)
	b = appendVarint(b, helloGeneration, f.Generation)
	b = appendString(b, helloAddr, f.Addr)
	b = appendBool(b, helloRejoin, f.Rejoin)
	b = appendVarint(b, helloClock, uint64(f.Clock))
	b = appendBool(b, helloAged, f.Aged)
	return appendVarint(b, helloSince, uint64(f.Since))
}

// appendRefuse cuts a reason that is too long: half of it is more useful than a broken frame.
func appendRefuse(b []byte, f *core.Refuse) []byte {
	return appendString(b, refuseReason, f.Reason[:min(len(f.Reason), maxReason)])
}

func appendBeat(b []byte, f *core.Beat) []byte {
	b = appendFixed(b, beatHash, f.Hash)
	b = appendVarint(b, beatKnown, uint64(f.Known))
	b = appendBool(b, beatWanted, f.Wanted)
	b = appendBool(b, beatEager, f.Eager)
	b = appendFixed(b, beatShared, f.Shared)
	b = appendVarint(b, beatClock, uint64(f.Clock))
	return appendVarint(b, beatLag, uint64(f.Lag))
}

func appendBuckets(b []byte, f *core.Buckets) []byte { return appendHashes(b, &f.Hashes) }

func appendSharedBuckets(b []byte, f *core.SharedBuckets) []byte {
	return appendFixed(appendHashes(b, &f.Hashes), bucketsFloor, uint64(f.Floor))
}

func appendHashes(b []byte, hashes *[core.NumBuckets]uint64) []byte {
	b = protowire.AppendTag(b, bucketsHashes, protowire.BytesType)
	b = protowire.AppendVarint(b, 8*core.NumBuckets)
	for _, h := range hashes {
		b = protowire.AppendFixed64(b, h)
	}
	return b
}

func appendDigest(b []byte, f *core.Digest) []byte {
	b = appendFixed(b, digestMask, f.Mask)
	b = appendBool(b, digestReply, f.Reply)
	var last uint64
	for i := range f.Entries {
		e := &f.Entries[i]
		b = appendMessage(b, digestEntry, func(m []byte) []byte {
			m = appendFixed(m, entryNode, uint64(e.Node))
			m = appendGeneration(m, entryGeneration, e.Generation, &last)
			m = appendVarint(m, entryVersion, e.Version)
			m = appendVarint(m, entryFloor, e.Floor)
			return appendVarint(m, entrySeen, uint64(e.Seen))
		})
	}
	return b
}

func appendDelta(b []byte, f *core.Delta) []byte {
	var last uint64
	for i := range f.Records {
		b = appendMessage(b, deltaRecord, func(m []byte) []byte { return appendRecord(m, &f.Records[i], &last) })
	}
	return appendBool(b, deltaLast, f.Last)
}

// appendGeneration appends what a generation is above the one before in the frame, zigzag: the members of a cluster that starts have
// nearly the same.
func appendGeneration(b []byte, field protowire.Number, generation uint64, last *uint64) []byte {
	b = appendVarint(b, field, protowire.EncodeZigZag(int64(generation-*last)))
	*last = generation
	return b
}

// appendRecord appends a record; its node only if that does not follow from the name.
func appendRecord(b []byte, r *core.RecordDelta, last *uint64) []byte {
	if r.ID == "" || r.Node != core.HashID(r.ID) {
		b = appendFixed(b, recordNode, uint64(r.Node))
	}
	b = appendString(b, recordID, r.ID)
	b = appendGeneration(b, recordGeneration, r.Generation, last)
	b = appendVarint(b, recordFrom, r.From)
	b = appendVarint(b, recordTo, r.To)
	b = appendVarint(b, recordFloor, r.Floor)
	b = appendBool(b, recordUrgent, r.Urgent)
	b = appendVarint(b, recordSeen, uint64(r.Seen))
	b = appendLinks(b, r.Links)
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Kind == core.KindMeta && e.Key == core.MetaAddr && !e.Deleted {
			b = appendAddr(b, e)
			continue
		}
		b = appendMessage(b, recordEntry, func(m []byte) []byte {
			m = appendVarint(m, keyKind, uint64(e.Kind))
			m = appendString(m, keyKey, e.Key)
			m = appendString(m, keyValue, e.Value)
			m = appendVarint(m, keyVersion, e.Version)
			return appendBool(m, keyDeleted, e.Deleted)
		})
	}
	return b
}

// appendAddr appends the entry that every record has: its version as a varint, and the address.
func appendAddr(b []byte, e *core.Entry) []byte {
	return appendMessage(b, recordAddr, func(b []byte) []byte {
		return append(protowire.AppendVarint(b, e.Version), e.Value...)
	})
}

func appendBye(b []byte, f *core.Bye) []byte { return appendVarint(b, byeReason, uint64(f.Reason)) }

// appendLinks appends the links of a record as
//
//	varint   what the version is above that of the link before, times 2, plus 1 if the link is deleted
//	8 bytes  the node, big endian
//
// each. Links are most of what a join storm sends, and half the size of other entries.
func appendLinks(b []byte, links []core.LinkEntry) []byte {
	if len(links) == 0 {
		return b
	}
	return appendMessage(b, recordLinks, func(b []byte) []byte {
		var last uint64
		for _, l := range links {
			b = protowire.AppendVarint(b, l.Mark-last<<1)
			b = binary.BigEndian.AppendUint64(b, uint64(l.Node))
			last = l.Version()
		}
		return b
	})
}

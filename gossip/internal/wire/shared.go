package wire

import (
	"fmt"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Field numbers of the frames of the shared map. They are never used again for something else.
const (
	sharedMask    = 1
	sharedVersion = 2
	sharedReply   = 3

	versionID     = 1
	versionStamp  = 2
	versionWriter = 3

	answerHash   = 1
	answerShared = 2
	answerLacks  = 3

	sharedEntry = 1
	sharedClock = 2
	sharedLast  = 3

	lazyOn = 1

	sharedSpace   = 1
	sharedKey     = 2
	sharedValue   = 3
	sharedStamp   = 4
	sharedWriter  = 5
	sharedExpires = 6
	sharedDeleted = 7
)

func appendSharedDigest(b []byte, f *core.SharedDigest) []byte {
	return appendVersions(appendBool(appendFixed(b, sharedMask, f.Mask), sharedReply, f.Reply), f.Entries)
}

func appendVersions(b []byte, versions []core.SharedVersion) []byte {
	for _, v := range versions {
		b = appendMessage(b, sharedVersion, func(m []byte) []byte {
			m = appendFixed(m, versionID, v.ID)
			m = appendFixed(m, versionStamp, uint64(v.Stamp))
			return appendFixed(m, versionWriter, uint64(v.Writer))
		})
	}
	return b
}

func appendSharedDelta(b []byte, f *core.SharedDelta) []byte {
	b = appendVarint(b, sharedClock, uint64(f.Clock))
	b = appendBool(b, sharedLast, f.Last)
	for i := range f.Entries {
		b = appendMessage(b, sharedEntry, func(m []byte) []byte { return AppendShared(m, &f.Entries[i]) })
	}
	return b
}

// AppendShared appends an entry of the shared map, as it travels and as it is kept.
func AppendShared(b []byte, e *core.SharedEntry) []byte {
	b = appendVarint(b, sharedSpace, uint64(e.Space))
	b = appendString(b, sharedKey, e.Key)
	b = appendString(b, sharedValue, e.Value)
	b = appendFixed(b, sharedStamp, uint64(e.Stamp))
	b = appendFixed(b, sharedWriter, uint64(e.Writer))
	b = appendVarint(b, sharedExpires, uint64(e.Expires))
	return appendBool(b, sharedDeleted, e.Deleted)
}

// DecodeShared reads what AppendShared wrote.
func DecodeShared(b []byte) (core.SharedEntry, error) {
	var e core.SharedEntry
	if err := fields(b, &e, sharedEntryField); err != nil {
		return e, fmt.Errorf("%w: shared entry: %w", ErrMalformed, err)
	}
	return e, nil
}

func decodeSharedBuckets(b []byte) (core.Frame, error) {
	out := new(core.SharedBuckets)
	err := decodeHashes(b, &out.Hashes)
	if err == nil {
		err = fields(b, out, func(out *core.SharedBuckets, f field) (err error) {
			if f.number == bucketsFloor {
				var v uint64
				v, err = f.uint(64)
				out.Floor = core.Stamp(v)
			}
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("%w: shared buckets: %w", ErrMalformed, err)
	}
	return out, nil
}

func sharedDigestField(d *core.SharedDigest, f field) (err error) {
	switch f.number {
	case sharedMask:
		d.Mask, err = f.uint(64)
	case sharedReply:
		d.Reply, err = f.bool()
	case sharedVersion:
		d.Entries, err = versionsField(d.Entries, f)
	}
	return err
}

func versionsField(all []core.SharedVersion, f field) ([]core.SharedVersion, error) {
	if len(all) >= maxItems {
		return all, fmt.Errorf("more than %d versions", maxItems)
	}
	var v core.SharedVersion
	err := message(f, &v, sharedVersionField)
	return append(all, v), err
}

func askField(a *core.Ask, f field) (err error) {
	if f.number == sharedVersion {
		a.Versions, err = versionsField(a.Versions, f)
	}
	return err
}

func appendAnswer(b []byte, f *core.Answer) []byte {
	b = appendFixed(b, answerHash, f.Hash)
	b = appendFixed(b, answerShared, f.Shared)
	return appendVarint(b, answerLacks, uint64(f.Lacks))
}

func answerField(a *core.Answer, f field) (err error) {
	var v uint64
	switch f.number {
	case answerHash:
		a.Hash, err = f.uint(64)
	case answerShared:
		a.Shared, err = f.uint(64)
	case answerLacks:
		v, err = f.uint(32)
		a.Lacks = uint32(v)
	}
	return err
}

func sharedVersionField(v *core.SharedVersion, f field) error {
	if f.number < versionID || f.number > versionWriter {
		return nil
	}
	u, err := f.uint(64)
	switch f.number {
	case versionID:
		v.ID = u
	case versionStamp:
		v.Stamp = core.Stamp(u)
	case versionWriter:
		v.Writer = core.NodeID(u)
	}
	return err
}

func sharedDeltaField(d *core.SharedDelta, f field) error {
	var err error
	switch f.number {
	case sharedClock:
		d.Clock, err = f.int63()
	case sharedLast:
		d.Last, err = f.bool()
	case sharedEntry:
		if len(d.Entries) >= maxItems {
			return fmt.Errorf("more than %d entries", maxItems)
		}
		var e core.SharedEntry
		err = message(f, &e, sharedEntryField)
		d.Entries = append(d.Entries, e)
	}
	return err
}

func announceField(a *core.SharedAnnounce, f field) (err error) {
	if f.number == sharedVersion {
		a.Entries, err = versionsField(a.Entries, f)
	}
	return err
}

func lazyField(l *core.Lazy, f field) (err error) {
	if f.number == lazyOn {
		l.On, err = f.bool()
	}
	return err
}

func sharedEntryField(e *core.SharedEntry, f field) (err error) {
	var u uint64
	switch f.number {
	case sharedSpace:
		u, err = f.uint(8)
		e.Space = core.Space(u)
	case sharedKey:
		e.Key, err = f.string(core.MaxKey)
	case sharedValue:
		e.Value, err = f.string(core.MaxValue)
	case sharedStamp:
		u, err = f.uint(64)
		e.Stamp = core.Stamp(u)
	case sharedWriter:
		u, err = f.uint(64)
		e.Writer = core.NodeID(u)
	case sharedExpires:
		e.Expires, err = f.int63()
	case sharedDeleted:
		e.Deleted, err = f.bool()
	}
	return err
}

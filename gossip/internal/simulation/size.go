package simulation

import "github.com/goconvoke/convoke/gossip/internal/core"

// frameSize is what a frame takes on a stream, in bytes: a header of four, numbers as varints, strings with their length.
func frameSize(f core.Frame) int {
	switch f := f.(type) {
	case *core.Beat:
		return header + 8 + varintSize(uint64(f.Known)) + 1 + sharedHashSize(f.Shared)
	case *core.Buckets:
		return header + 8*core.NumBuckets
	case *core.Digest:
		n, last := header+8, uint64(0)
		for _, e := range f.Entries {
			n += 8 + generationSize(e.Generation, &last) + varintSize(e.Version) + varintSize(e.Floor)
		}
		return n
	case *core.Delta:
		n, last := header, uint64(0)
		for i := range f.Records {
			n += recordSize(&f.Records[i], &last)
		}
		return n
	case *core.SharedBuckets:
		return header + 8*core.NumBuckets
	case *core.SharedDigest:
		return header + 8 + 24*len(f.Entries)
	case *core.SharedAnnounce:
		return header + 20*len(f.Entries)
	case *core.SharedDelta:
		n := header + 7
		for i := range f.Entries {
			n += 22 + stringSize(f.Entries[i].Key) + stringSize(f.Entries[i].Value)
		}
		return n
	}
	return header + 1
}

// sharedHashSize is the size of the hash of the shared map: nothing while it is empty.
func sharedHashSize(hash uint64) int {
	if hash == 0 {
		return 0
	}
	return 8
}

// header is the length and the type of a frame.
const header = 4

// generationSize is the size of a generation: what it is above the one before in the frame.
func generationSize(g uint64, last *uint64) int {
	d := int64(g - *last)
	*last = g
	return varintSize(uint64(d<<1 ^ d>>63))
}

// recordSize is the size of a record. Its node is not sent if it follows from the name.
func recordSize(d *core.RecordDelta, before *uint64) int {
	n := 8
	if d.ID != "" {
		n = stringSize(d.ID)
	}
	n += generationSize(d.Generation, before) + varintSize(d.From) + varintSize(d.To-d.From) + varintSize(d.Floor) + 2
	last := d.From
	for _, l := range d.Links {
		n += 8 + varintSize((l.Version()-last)<<1)
		last = l.Version()
	}
	last = d.From
	for _, e := range d.Entries {
		n += 1 + stringSize(e.Key) + varintSize(e.Version-last)
		if !e.Deleted {
			n += stringSize(e.Value)
		}
		last = e.Version
	}
	return n
}

func stringSize(s string) int { return varintSize(uint64(len(s))) + len(s) }

func varintSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

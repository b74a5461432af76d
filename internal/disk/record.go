package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// A file is a prelude and then records; all numbers are little endian, all checksums CRC-32C.
//
//	prelude  magic 8 | version 4 | checksum of these 4
//	record   length of the payload 4 | index 4 | checksum of the payload 4 | checksum of the header 4 | payload
//
// The prelude keeps this shape in every version to come, so that a newer file can be distinguished from a damaged one. The
// index counts the records of a file from 0. Record 0 is the meta record, its header is summed with number 0:
//
//	number of the snapshot 8 | time of the last commit, Unix ms 8 | entries 8 (of a snapshot; 0 in a journal)
//
// Every other record is a batch: time of the commit, Unix ms 8, then changes until its end.
//
//	set      1 | uvarint | key | uvarint | value
//	delete   2 | uvarint | key
//
// A batch of a journal is one commit. A snapshot is cut into batches only to be read in pieces.
const (
	version       = 1
	snapshotMagic = "\x89cvkSNP\n"
	journalMagic  = "\x89cvkJNL\n"

	preludeSize = 16
	headerSize  = 16
	metaSize    = 24
	startSize   = preludeSize + headerSize + metaSize // what every file begins with

	maxRecord = 512 << 20 // bytes of payload: above MaxTotal, since a commit may replace all that there is
	maxNumber = 1 << 62   // of a snapshot; so high that counting on cannot overflow

	opSet    = 1
	opDelete = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// headerChecksum covers the first 12 bytes of a header and the number of the file's snapshot, so that what an older
// file left in a block of the disk is not taken for a record of this one.
func headerChecksum(b []byte, number uint64) uint32 {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], number)
	return crc32.Update(checksum(n[:]), castagnoli, b[:12])
}

// meta is what a file states about itself.
type meta struct {
	number  uint64    // of the snapshot, from 1
	written time.Time // of the last commit it holds; zero when there was none
	entries uint64
}

// appendStart appends the prelude and the meta record of a file.
func appendStart(b []byte, magic string, m meta) []byte {
	at := len(b)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, checksum(b[at:]))
	b, at = beginRecord(b)
	b = binary.LittleEndian.AppendUint64(b, m.number)
	b = appendTime(b, m.written)
	b = binary.LittleEndian.AppendUint64(b, m.entries)
	endRecord(b, at, 0, 0)
	return b
}

// beginRecord leaves room for the header of a record; its payload is appended next, then endRecord fills
// the header in. It returns where the record begins.
func beginRecord(b []byte) ([]byte, int) {
	return append(b, make([]byte, headerSize)...), len(b)
}

func endRecord(b []byte, at int, index uint32, number uint64) {
	h, payload := b[at:at+headerSize], b[at+headerSize:]
	binary.LittleEndian.PutUint32(h[0:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(h[4:], index)
	binary.LittleEndian.PutUint32(h[8:], checksum(payload))
	binary.LittleEndian.PutUint32(h[12:], headerChecksum(h, number))
}

// header is the header of a record.
type header struct {
	length, index, payload uint32
}

// parseHeader reports false for bytes that are not a header.
func parseHeader(b []byte, number uint64) (header, bool) {
	h := header{
		length:  binary.LittleEndian.Uint32(b[0:]),
		index:   binary.LittleEndian.Uint32(b[4:]),
		payload: binary.LittleEndian.Uint32(b[8:]),
	}
	return h, h.length <= maxRecord && headerChecksum(b, number) == binary.LittleEndian.Uint32(b[12:])
}

func parseMeta(b []byte) (meta, error) {
	if len(b) != metaSize {
		return meta{}, fmt.Errorf("a meta record of %d bytes", len(b))
	}
	m := meta{number: binary.LittleEndian.Uint64(b), written: parseTime(b[8:]), entries: binary.LittleEndian.Uint64(b[16:])}
	if m.number == 0 || m.number > maxNumber {
		return meta{}, fmt.Errorf("a snapshot number of %d", m.number)
	}
	return m, nil
}

func appendTime(b []byte, t time.Time) []byte {
	var ms int64
	if !t.IsZero() {
		ms = t.UnixMilli()
	}
	return binary.LittleEndian.AppendUint64(b, uint64(ms))
}

func parseTime(b []byte) time.Time {
	ms := int64(binary.LittleEndian.Uint64(b))
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func appendChange(b []byte, c Change) []byte {
	if c.Value == nil {
		b = append(b, opDelete)
		b = binary.AppendUvarint(b, uint64(len(c.Key)))
		return append(b, c.Key...)
	}
	b = append(b, opSet)
	b = binary.AppendUvarint(b, uint64(len(c.Key)))
	b = append(b, c.Key...)
	b = binary.AppendUvarint(b, uint64(len(c.Value)))
	return append(b, c.Value...)
}

// parseBatch hands the changes of a batch to apply; their values are parts of b.
func parseBatch(b []byte, apply func(Change) error) (time.Time, error) {
	if len(b) < 8 {
		return time.Time{}, fmt.Errorf("a batch of %d bytes", len(b))
	}
	at := parseTime(b)
	for b = b[8:]; len(b) > 0; {
		c, rest, err := parseChange(b)
		if err != nil {
			return at, err
		}
		if err := apply(c); err != nil {
			return at, err
		}
		b = rest
	}
	return at, nil
}

var errShort = errors.New("a change that ends too early")

func parseChange(b []byte) (c Change, rest []byte, err error) {
	op := b[0]
	if op != opSet && op != opDelete {
		return c, nil, fmt.Errorf("a change of the unknown kind %d", op)
	}
	key, b, ok := cutBytes(b[1:])
	if !ok {
		return c, nil, errShort
	}
	c.Key = string(key)
	if op == opDelete {
		return c, b, nil
	}
	if c.Value, b, ok = cutBytes(b); !ok {
		return c, nil, errShort
	}
	return c, b, nil
}

// cutBytes cuts off bytes that follow their length. They are not nil.
func cutBytes(b []byte) (cut, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	b = b[size:]
	return b[:n:n], b[n:], true
}

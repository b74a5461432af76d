package disk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// damage describes what is wrong with the bytes of a file. Any other error of a reader is one of reading.
type damage string

func (d damage) Error() string { return string(d) }

// errTorn is where a file ends in a record that was not written to its end: no sound record follows.
var errTorn = errors.New("an unfinished record")

// contents is what a file was found to hold.
type contents struct {
	meta    meta
	batches int       // sound ones
	written time.Time // of the last of them
	torn    int64     // bytes of an unfinished record at the end
	started bool      // prelude and meta record are sound
	damage  error     // nil: none, but for an unfinished record
}

// readFile hands the changes of each sound batch to apply, up to the first that is not. The error is one of reading,
// or reports that the file is of a newer version.
func (s *Store) readFile(name, magic string, number uint64, apply func(Change)) (c contents, err error) {
	path := filepath.Join(s.dir, name)
	f, size, err := s.fs.Open(path)
	if err != nil {
		return c, err
	}
	r := &reader{in: bufio.NewReaderSize(f, 64<<10), left: size, number: number}
	err = r.readContents(&c, magic, apply)
	var d damage
	switch {
	case errors.Is(err, errTorn):
		c.torn, err = r.left, nil
	case errors.As(err, &d):
		c.damage, err = d, nil
	case err != nil:
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return c, errors.Join(err, f.Close())
}

// reader reads the records of a file.
type reader struct {
	in     *bufio.Reader
	left   int64 // bytes not read yet
	next   uint32
	number uint64 // of the snapshot, as far as known
	buf    []byte
}

func (r *reader) readContents(c *contents, magic string, apply func(Change)) error {
	if err := r.readPrelude(magic); err != nil {
		return err
	}
	b, err := r.nextRecord()
	if err != nil {
		return err
	}
	if c.meta, err = parseMeta(b); err != nil {
		return damage(err.Error())
	}
	c.started, c.written, r.number = true, c.meta.written, c.meta.number
	for r.left > 0 {
		b, err := r.nextRecord()
		if err != nil {
			return err
		}
		// All or nothing: the whole batch is looked at before the first of its changes is carried out.
		at, err := parseBatch(b, Change.check)
		if err != nil {
			return damage(fmt.Sprintf("record %d holds %v", r.next-1, err))
		}
		if _, err := parseBatch(b, func(ch Change) error { apply(ch); return nil }); err != nil {
			return err
		}
		c.batches++
		c.written = at
	}
	return nil
}

func (r *reader) readPrelude(magic string) error {
	if r.left < preludeSize {
		return errTorn
	}
	b, err := r.in.Peek(preludeSize) // not read: bytes that are not a prelude count as torn, and those are what is left
	if err != nil {
		return unexpectedEnd(err)
	}
	n := len(magic)
	v := binary.LittleEndian.Uint32(b[n:])
	sound := string(b[:n]) == magic && checksum(b[:n+4]) == binary.LittleEndian.Uint32(b[n+4:])
	switch {
	case sound && v > version:
		return fmt.Errorf("its format is version %d and this program knows up to %d: "+
			"run the newer program, or move the directory away to start without it", v, version)
	case sound && v == version:
		return r.skipBytes(preludeSize)
	}
	return r.tornOr(damage("it does not begin as such a file does"))
}

// nextRecord returns the next payload, which is valid until the next call.
func (r *reader) nextRecord() ([]byte, error) {
	if r.left < headerSize {
		return nil, errTorn
	}
	b, err := r.in.Peek(headerSize)
	if err != nil {
		return nil, unexpectedEnd(err)
	}
	// Headers are summed with the number of the snapshot, so that blocks of an older file, left over on the disk, are not taken for records.
	number := r.number
	if r.next == 0 { // the meta record holds the number, so its own header is summed without it
		number = 0
	}
	h, ok := parseHeader(b, number) // its own checksum: a length is believed before its payload is read, and sizes a buffer
	switch {
	case !ok:
		return nil, r.tornOr(damage(fmt.Sprintf("the header of record %d has a wrong checksum", r.next)))
	case h.index != r.next:
		return nil, damage(fmt.Sprintf("record %d stands where record %d belongs", h.index, r.next))
	// The header is sound and the payload is not all there: the trace of a write that was cut off.
	case int64(h.length) > r.left-headerSize:
		return nil, errTorn
	}
	// A record that ends with the file may be one whose bytes did not all reach the disk, although its length did.
	last := int64(h.length) == r.left-headerSize
	if cap(r.buf) < int(h.length) {
		r.buf = make([]byte, h.length) // no longer than the rest of the file
	}
	payload := r.buf[:h.length]
	// A torn record stays in r.left, for the count of what is cut off.
	if _, err := r.in.Discard(headerSize); err != nil {
		return nil, unexpectedEnd(err)
	}
	if _, err := io.ReadFull(r.in, payload); err != nil {
		return nil, unexpectedEnd(err)
	}
	if checksum(payload) != h.payload {
		if last {
			return nil, errTorn
		}
		return nil, damage(fmt.Sprintf("record %d has a wrong checksum", r.next))
	}
	r.left -= headerSize + int64(h.length)
	r.next++
	return payload, nil
}

// tornOr returns errTorn when no header of a later record follows, else the damage: only the last write of a
// file can be unfinished, since each was synced before the next. Values that look like a header can at
// worst make an unfinished record count as damage; what is used of the file is the same.
func (r *reader) tornOr(d damage) error {
	left := r.left
	for left >= headerSize {
		b, err := r.in.Peek(int(min(left, int64(r.in.Size()))))
		if err != nil {
			return unexpectedEnd(err)
		}
		n := len(b) - headerSize + 1
		for i := range n {
			index := binary.LittleEndian.Uint32(b[i+4:])
			if index <= r.next || int64(index-r.next) > r.left/headerSize {
				continue // spares most checksums
			}
			if h, ok := parseHeader(b[i:], r.number); ok && int64(h.length) <= left-headerSize-int64(i) {
				return d
			}
		}
		// All places of a header that begin in this piece were looked at; the last headerSize-1 bytes may begin one, and stay.
		if _, err := r.in.Discard(n); err != nil {
			return unexpectedEnd(err)
		}
		left -= int64(n)
	}
	return errTorn
}

func (r *reader) skipBytes(n int) error {
	r.left -= int64(n)
	_, err := r.in.Discard(n)
	return unexpectedEnd(err)
}

// unexpectedEnd names the end of a file that has become shorter since it was opened.
func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

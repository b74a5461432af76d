package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/flynn/noise"
)

// sealedRecord has room for the length and the ciphertext of the largest record.
type sealedRecord [recordHead + maxRecord + recordTag]byte

// records are used while a record is written or read: a stream that is idle has none.
var records = sync.Pool{New: func() any { return new(sealedRecord) }}

// pskConn seals what is written and opens what is read.
type pskConn struct {
	net.Conn
	psk *PSK
	key []byte // of the handshake

	writing sync.Mutex
	send    *noise.CipherState // guarded by writing, as failed
	failed  error              // of a write: a part of a record may have been sent, so no other one can follow

	reading sync.Mutex
	receive *noise.CipherState // guarded by reading, as all below
	head    [recordHead]byte
	record  *sealedRecord // the record that comes, or the one that rest is of; nil: neither
	have    int           // bytes of the record that have come, with its length: a read that reached its deadline is continued by the next one
	rest    []byte        // opened and not read yet
}

// Proves returns true: a node that holds the key may use any name.
func (c *pskConn) Proves(string) bool { return true }

// Verify returns an error if the key of the handshake is not in use any more.
func (c *pskConn) Verify(time.Time) error {
	if !c.psk.current.Load().has(c.key) {
		return errKeyRemoved
	}
	return nil
}

// Write sends b in records. After an error it returns the same one.
func (c *pskConn) Write(b []byte) (n int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	record := records.Get().(*sealedRecord)
	defer records.Put(record)
	for len(b) > 0 && c.failed == nil {
		part := b[:min(len(b), maxRecord)]
		sealed, err := c.send.Encrypt(record[recordHead:recordHead], nil, part)
		if err == nil {
			binary.BigEndian.PutUint16(record[:], uint16(len(sealed)))
			_, err = c.Conn.Write(record[:recordHead+len(sealed)])
		}
		if c.failed = err; err == nil {
			n += len(part)
			b = b[len(part):]
		}
	}
	return n, c.failed
}

// Read opens the next record, straight into b if there is room.
func (c *pskConn) Read(b []byte) (int, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	for len(c.rest) == 0 {
		sealed, err := c.receiveRecord()
		if err != nil {
			return 0, err
		}
		direct := len(sealed)-recordTag <= len(b)
		to := sealed[:0]
		if direct {
			to = b[:0]
		}
		opened, err := c.receive.Decrypt(to, nil, sealed)
		if c.have = 0; direct || err != nil {
			c.releaseRecord()
		}
		switch {
		case err != nil:
			return 0, errors.New("a record was tampered with")
		case !direct:
			c.rest = opened
		case len(opened) > 0:
			return len(opened), nil
		}
	}
	n := copy(b, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.releaseRecord()
	}
	return n, nil
}

// receiveRecord returns the ciphertext of the next record, which is in c.record.
func (c *pskConn) receiveRecord() ([]byte, error) {
	if err := c.fill(c.head[:], 0); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(c.head[:]))
	if size > maxRecord+recordTag {
		return nil, fmt.Errorf("a record of %d bytes, at most %d are possible", size, maxRecord+recordTag)
	}
	if c.record == nil {
		c.record = records.Get().(*sealedRecord)
	}
	sealed := c.record[:size]
	if err := c.fill(sealed, recordHead); err != nil {
		return nil, err
	}
	return sealed, nil
}

// fill reads until b has come, which is the part of a record that begins at an offset.
func (c *pskConn) fill(b []byte, offset int) error {
	for c.have < offset+len(b) {
		n, err := c.Conn.Read(b[c.have-offset:])
		c.have += n
		switch {
		case err == nil || c.have == offset+len(b): // an error comes again
		case c.have > 0 && errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
	return nil
}

func (c *pskConn) releaseRecord() {
	records.Put(c.record)
	c.record = nil
}

package gossip

import (
	"bufio"
	"errors"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
)

const (
	// maxBatch is about how many bytes of frames are encoded before they are written.
	maxBatch = 64 << 10
	// maxWrite is how many bytes are written under one deadline.
	maxWrite = 16 << 10
	// writeTimeout bounds each write of maxWrite bytes, and all that is left when a link is closed: a peer that takes less than
	// 1.6 KB/s is of no use.
	writeTimeout = 10 * time.Second
	// readBuffer is the buffer of a stream, which it keeps while it is idle: room for a dozen heartbeats.
	readBuffer = 512
)

// buffers hold encoded frames while they are written.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// putBuffer gives a buffer back, unless a frame that is an exception made it large.
func putBuffer(b *[]byte) {
	if cap(*b) <= 2*maxBatch {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// stream is a connection with its frames.
type stream struct {
	transport.Conn
	count   *counters
	in      *bufio.Reader
	reader  *wire.Reader
	greeted time.Time // when the hello that answers a peer's was written; zero: this node dialled
}

func (n *Node) newStream(c transport.Conn) *stream {
	m := &meter{c, &n.count}
	in := bufio.NewReaderSize(m, readBuffer)
	return &stream{Conn: m, count: &n.count, in: in, reader: wire.NewReader(in)}
}

// transportConn returns the connection of the transport, whose bytes are not counted.
func (s *stream) transportConn() transport.Conn { return s.Conn.(*meter).Conn }

// trust accepts frames of the full size: the peer is known.
func (s *stream) trust() { s.reader.Trust() }

// readFrame returns the next frame.
func (s *stream) readFrame() (core.Frame, error) {
	skipped := s.reader.Skipped()
	f, err := s.reader.Read()
	if more := s.reader.Skipped() - skipped; more > 0 {
		s.count.framesSkipped.Add(more)
	}
	switch {
	case err == nil:
		s.count.framesIn.Add(1)
	case errors.Is(err, wire.ErrMalformed):
		s.count.framesMalformed.Add(1)
	}
	return f, err
}

// writeFrame sends a frame at once. It is for streams that are not links.
func (s *stream) writeFrame(f core.Frame) error {
	buf := buffers.Get().(*[]byte)
	defer putBuffer(buf)
	var err error
	if *buf, err = s.appendFrame(*buf, f); err != nil {
		return err
	}
	_, err = s.Write(*buf)
	return err
}

// appendFrame encodes a frame behind those in b.
func (s *stream) appendFrame(b []byte, f core.Frame) ([]byte, error) {
	b, err := wire.Append(b, f)
	if err == nil {
		s.count.framesOut.Add(1)
	}
	return b, err
}

// link is a stream that the core uses. The loop owns it; its reader and its writer have goroutines of their own.
type link struct {
	number     core.LinkID
	id         string
	generation uint64
	host       string
	stream     *stream
	queue      sendQueue

	// Owned by the loop.
	exchanged bool        // the first exchange is over
	joins     []*joinCall // those that wait for it
	joined    string      // the address that a Join has dialled for this link
}

func newLink(number core.LinkID, hello *core.Hello, s *stream) *link {
	s.trust()
	return &link{number: number, id: hello.ID, generation: hello.Generation, host: hostOf(s.RemoteAddr()), stream: s}
}

// addJoin has a Join wait for the first exchange of this link. Only the loop calls it.
func (l *link) addJoin(j *joinCall) {
	if l.exchanged {
		j.finishJoin(nil)
		return
	}
	l.joins = append(l.joins, j)
}

// finishJoins ends the wait of all Joins for this link, with why there was no exchange. Only the loop calls it.
func (l *link) finishJoins(err error) {
	for _, j := range l.joins {
		j.finishJoin(err)
	}
	l.joins = nil
}

// close ends a link; a graceful one after what is queued was written.
func (l *link) close(graceful bool) {
	if graceful && !l.queue.drain() {
		return // the writer closes the stream
	}
	l.queue.close()
	_ = l.stream.Close()
}

// writeQueued writes what is queued, many frames at a time, until nothing is left. On an error it closes the stream, which ends the reader.
func (l *link) writeQueued() {
	buf := buffers.Get().(*[]byte)
	defer putBuffer(buf)
	var deadline time.Time // of a link that is being closed
	for {
		err := l.encodeBatch(buf)
		if err == nil && len(*buf) > 0 {
			if deadline.IsZero() && l.queue.isDraining() {
				deadline = time.Now().Add(writeTimeout)
			}
			err = l.writeAll(*buf, deadline)
		}
		if err != nil {
			l.close(false)
			return
		}
		if end, last := l.queue.endWriter(); end {
			if last {
				l.close(false)
			}
			return
		}
	}
}

// encodeBatch fills a buffer with frames that are queued.
func (l *link) encodeBatch(buf *[]byte) (err error) {
	*buf = (*buf)[:0]
	for len(*buf) < maxBatch {
		f := l.queue.pop()
		if f == nil {
			return nil
		}
		if *buf, err = l.stream.appendFrame(*buf, f); err != nil {
			return err
		}
	}
	return nil
}

// writeAll writes in parts, each within writeTimeout, or all until the deadline if there is one: a slow peer that takes something is
// no reason to close a link.
func (l *link) writeAll(b []byte, deadline time.Time) error {
	for len(b) > 0 {
		until := deadline
		if until.IsZero() {
			until = time.Now().Add(writeTimeout)
		}
		_ = l.stream.SetWriteDeadline(until)
		part := b[:min(len(b), maxWrite)]
		if _, err := l.stream.Write(part); err != nil {
			return err
		}
		b = b[len(part):]
	}
	return nil
}

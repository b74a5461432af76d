package gossip

import (
	"bufio"
	"errors"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/gossip/wire"
)

const (
	// queued is how many frames a link holds that are not written yet. A burst of a join storm is a few dozen; who
	// is further behind does not read.
	queued = 256
	// maxBatch is how many bytes are put together for one write, but for the last frame.
	maxBatch = 64 << 10
	// writeTimeout bounds each write: a peer that takes nothing for so long is of no use.
	writeTimeout = 10 * time.Second
)

// stream is a connection with its frames.
type stream struct {
	transport.Conn
	count  *counters
	reader *wire.Reader
	buf    []byte
}

func (n *Node) newStream(c transport.Conn) *stream {
	m := meter{c, &n.count}
	return &stream{Conn: m, count: &n.count, reader: wire.NewReader(bufio.NewReader(m))}
}

// read returns the next frame.
func (s *stream) read() (core.Frame, error) {
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

// write sends a frame at once.
func (s *stream) write(f core.Frame) error {
	if err := s.append(f); err != nil {
		return err
	}
	return s.flush()
}

// append puts a frame with those that the next flush sends.
func (s *stream) append(f core.Frame) (err error) {
	s.buf, err = wire.Append(s.buf, f)
	if err == nil {
		s.count.framesOut.Add(1)
	}
	return err
}

func (s *stream) flush() error {
	_, err := s.Write(s.buf)
	if s.buf = s.buf[:0]; cap(s.buf) > 2*maxBatch {
		s.buf = nil // of a frame that is an exception
	}
	return err
}

// link is a stream that the core uses.
type link struct {
	number core.LinkID
	id     string
	host   string
	stream *stream
	queue  chan core.Frame // see queued
	stop   chan struct{}   // closed by close: what is queued is still written
	once   sync.Once
}

func newLink(number core.LinkID, id string, s *stream) *link {
	s.reader.Trust()
	return &link{number: number, id: id, host: hostOf(s.RemoteAddr()), stream: s,
		queue: make(chan core.Frame, queued), stop: make(chan struct{})}
}

// close ends a link; a graceful one after what is queued was written.
func (l *link) close(graceful bool) {
	l.once.Do(func() { close(l.stop) })
	if !graceful {
		_ = l.stream.Close()
	}
}

// write writes what is queued, many frames at a time, until the link is closed.
func (l *link) write() {
	defer l.stream.Close()
	for {
		select {
		case f := <-l.queue:
			_ = l.stream.SetWriteDeadline(time.Now().Add(writeTimeout))
			if l.batch(f) != nil {
				return // the reader learns of it
			}
		case <-l.stop:
			_ = l.stream.SetWriteDeadline(time.Now().Add(writeTimeout)) // for all that is left
			for {
				select {
				case f := <-l.queue:
					if l.batch(f) != nil {
						return
					}
				default:
					return
				}
			}
		}
	}
}

// batch writes a frame, and as much of what is queued as goes with it.
func (l *link) batch(f core.Frame) error {
	for {
		if err := l.stream.append(f); err != nil {
			return err
		}
		if len(l.stream.buf) >= maxBatch {
			return l.stream.flush()
		}
		select {
		case f = <-l.queue:
		default:
			return l.stream.flush()
		}
	}
}

package gossip

import (
	"bufio"
	"sync"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/gossip/wire"
)

const (
	// queued is how many frames a link holds that are not written yet. A burst of a join storm is a few dozen; who
	// is further behind does not read.
	queued = 1024
	// writeTimeout bounds each write: a peer that takes nothing for so long is of no use.
	writeTimeout = 10 * time.Second
)

// stream is a connection with its frames.
type stream struct {
	transport.Conn
	reader *wire.Reader
	buf    []byte
}

func newStream(c transport.Conn) *stream {
	return &stream{Conn: c, reader: wire.NewReader(bufio.NewReader(c))}
}

// write sends frames at once.
func (s *stream) write(frames ...core.Frame) (err error) {
	s.buf = s.buf[:0]
	for _, f := range frames {
		if s.buf, err = wire.Append(s.buf, f); err != nil {
			return err
		}
	}
	_, err = s.Write(s.buf)
	return err
}

// link is a stream that the core uses.
type link struct {
	number core.LinkID
	id     string
	stream *stream
	queue  chan core.Frame
	stop   chan struct{} // closed by close: what is queued is still written
	once   sync.Once
}

func newLink(number core.LinkID, id string, s *stream) *link {
	s.reader.Trust()
	return &link{number: number, id: id, stream: s, queue: make(chan core.Frame, queued), stop: make(chan struct{})}
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
	for stopping := false; !stopping; {
		var batch []core.Frame
		select {
		case f := <-l.queue:
			batch = append(batch, f)
		case <-l.stop:
			stopping = true
		}
		for more := true; more && len(batch) < queued; {
			select {
			case f := <-l.queue:
				batch = append(batch, f)
			default:
				more = false
			}
		}
		_ = l.stream.SetWriteDeadline(time.Now().Add(writeTimeout))
		if len(batch) > 0 && l.stream.write(batch...) != nil {
			return // the reader learns of it
		}
	}
}

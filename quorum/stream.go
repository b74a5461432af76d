package quorum

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

const (
	// queueBytes bounds what waits to be sent to one member; a member that takes less than that loses the stream. It holds a snapshot
	// of the largest size with the entries after it.
	queueBytes = core.MaxFrame + 16<<20
	// writeTimeout is how long a write may take: a host that is silent takes nothing once its buffers are full.
	writeTimeout = 10 * time.Second
	// growBytes is how much is read at a time of a frame: its length is only what the other side has announced.
	growBytes = 64 << 10
)

// stream is one connection with a member, on which both sides send frames: the length in 4 bytes, big-endian, then the frame.
type stream struct {
	peer string
	conn net.Conn // nil while it is dialled

	mu     sync.Mutex
	queue  [][]byte
	bytes  int
	closed bool
	wake   chan struct{} // holds one
	ended  chan struct{}
}

func newStream(peer string) *stream {
	return &stream{peer: peer, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// send queues a frame; false if the stream has ended, or ends because too much waits.
func (s *stream) send(f core.Frame) bool {
	b := core.AppendFrame(make([]byte, 4, 256), f)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	s.mu.Lock()
	if s.closed || s.bytes+len(b) > queueBytes {
		s.mu.Unlock()
		s.close()
		return false
	}
	s.queue, s.bytes = append(s.queue, b), s.bytes+len(b)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// close ends the stream; what waits is dropped.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed, s.queue, s.bytes = true, nil, 0
	close(s.ended)
	if s.conn != nil {
		_ = s.conn.Close() // nothing is to be saved
	}
}

// attach gives the stream its connection; false if it was closed meanwhile.
func (s *stream) attach(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close() // nothing was sent
		return false
	}
	s.conn = conn
	return true
}

// write sends what is queued until the stream ends.
func (s *stream) write() {
	defer s.close()
	for {
		select {
		case <-s.wake:
		case <-s.ended:
			return
		}
		s.mu.Lock()
		frames := net.Buffers(s.queue)
		s.queue, s.bytes = nil, 0
		s.mu.Unlock()
		for _, b := range frames {
			if err := s.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return
			}
			if _, err := s.conn.Write(b); err != nil {
				return
			}
		}
	}
}

// read hands over frames until the stream ends or take returns false. The error is what was wrong with the bytes, nil if the connection ended.
func (s *stream) read(take func(core.Frame) bool) error {
	defer s.close()
	r := bufio.NewReaderSize(s.conn, 4<<10)
	for {
		b, err := readFrame(r)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		f, err := core.ParseFrame(b)
		if err != nil {
			return err
		}
		if !take(f) {
			return nil
		}
	}
}

// readFrame returns the bytes of one frame; nil when the connection has ended.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, nil // however it ended
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > core.MaxFrame {
		return nil, fmt.Errorf("a frame of %d bytes, want at most %d", n, core.MaxFrame)
	}
	if n <= growBytes {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, nil
		}
		return b, nil
	}
	var b bytes.Buffer
	b.Grow(growBytes)
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		return nil, nil
	}
	return b.Bytes(), nil
}

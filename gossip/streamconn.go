package gossip

import (
	"context"
	"net"
	"sync"

	"github.com/goconvoke/convoke/gossip/transport"
)

// StreamAddr is the address of one end of a stream between members, as net.Conn.LocalAddr and RemoteAddr return it for what
// [Node.Dial] and a listener of [Node.Listen] give.
type StreamAddr struct {
	Member string // name of the member
	Addr   string // host:port of the connection or, of a listener, that the node advertises
}

// Network returns "gossip".
func (StreamAddr) Network() string { return "gossip" }

// String returns the host:port.
func (a StreamAddr) String() string { return a.Addr }

// memberStream is a stream between the applications of two members. What its frame reader has read ahead comes first.
type memberStream struct {
	transport.Conn
	ahead         []byte // read with the last frame of the handshake
	reading       sync.Mutex
	local, remote StreamAddr
	close         func() error
}

// newMemberStream makes the stream of an application out of one whose handshake is over; released, if set, is called once when it is
// closed. It is closed when the node ends, and when the other side would not be accepted any longer.
func (n *Node) newMemberStream(s *stream, peer string, released func()) *memberStream {
	raw := s.transportConn() // what the application sends is not counted as gossip
	secured := &securedStream{peer: peer, conn: raw}
	end := sync.OnceValue(func() error {
		n.security.remove(secured)
		if released != nil {
			released()
		}
		return raw.Close()
	})
	secured.close = func() { _ = end() }
	n.security.add(secured)
	stop := context.AfterFunc(n.ended, func() { _ = end() })
	ahead, _ := s.in.Peek(s.in.Buffered())
	return &memberStream{
		Conn: raw, ahead: ahead,
		local:  StreamAddr{n.config.Name, raw.LocalAddr().String()},
		remote: StreamAddr{peer, raw.RemoteAddr().String()},
		close: func() error {
			stop()
			return end()
		},
	}
}

// Read reads what the other side wrote.
func (c *memberStream) Read(b []byte) (int, error) {
	c.reading.Lock()
	if len(c.ahead) > 0 {
		defer c.reading.Unlock()
		n := copy(b, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	c.reading.Unlock()
	return c.Conn.Read(b)
}

func (c *memberStream) Close() error         { return c.close() }
func (c *memberStream) LocalAddr() net.Addr  { return c.local }
func (c *memberStream) RemoteAddr() net.Addr { return c.remote }

// streamListener is the listener of one protocol.
type streamListener struct {
	node     *Node
	protocol string
	backlog  chan *memberStream
	done     chan struct{}
	once     sync.Once
	offering sync.RWMutex // held to send into backlog; taken for writing to end it
}

// offer hands over a stream, or closes it if nothing will accept it.
func (l *streamListener) offer(c *memberStream) {
	l.offering.RLock()
	defer l.offering.RUnlock()
	select {
	case <-l.done:
		_ = c.Close()
		return
	default:
	}
	select {
	case l.backlog <- c:
	default: // it has filled up since it was looked at
		_ = c.Close()
	}
}

// Accept returns the next stream.
func (l *streamListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and closes the streams that nothing has accepted.
func (l *streamListener) Close() error {
	p := &l.node.protocols
	p.mu.Lock()
	if p.listeners[l.protocol] == l {
		delete(p.listeners, l.protocol)
	}
	p.mu.Unlock()
	l.end()
	return nil
}

func (l *streamListener) end() {
	l.once.Do(func() {
		l.offering.Lock()
		defer l.offering.Unlock()
		close(l.done)
		for len(l.backlog) > 0 {
			_ = (<-l.backlog).Close()
		}
	})
}

// Addr returns the name of this node and the address that others dial.
func (l *streamListener) Addr() net.Addr {
	return StreamAddr{l.node.config.Name, l.node.Addr()}
}

package mlnet

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// verdictTimeout bounds the wait for, and the delivery of, the answer "another cluster".
	verdictTimeout = 2 * time.Second
	// maxDrain bounds what is read from a foreign caller so that our answer is not lost to a reset.
	maxDrain = 1 << 20 // bytes
)

// errAnotherCluster ends the reading of a stream that another cluster answered.
var errAnotherCluster = errors.New("another cluster answered")

// tuple names a TCP connection as one end of it sees it.
type tuple struct{ local, remote netip.AddrPort }

func (t tuple) reverse() tuple { return tuple{local: t.remote, remote: t.local} }

// tupleOf returns the tuple of a connection; false if it is not TCP.
func tupleOf(c net.Conn) (tuple, bool) {
	local, ok1 := c.LocalAddr().(*net.TCPAddr)
	remote, ok2 := c.RemoteAddr().(*net.TCPAddr)
	if !ok1 || !ok2 {
		return tuple{}, false
	}
	return tuple{addrPort(local), addrPort(remote)}, true
}

func addrPort(a *net.TCPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// tracked is a connection that notifies its transport when it is closed.
type tracked struct {
	net.Conn
	once   sync.Once
	forget func()
}

// Close closes the connection; once is enough.
func (c *tracked) Close() error {
	c.once.Do(c.forget)
	return c.Conn.Close()
}

// inConn is an inbound stream whose first bytes were read and are read again.
type inConn struct {
	net.Conn
	r io.Reader
}

// Read reads the first bytes again, then the stream.
func (c *inConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// outConn is a stream that we dialled. One goroutine reads and writes it.
type outConn struct {
	net.Conn
	own     string      // our label
	release func() bool // stops the watch over the context of the dial
	self    atomic.Bool // the other end turned out to be ourselves
	checked bool        // the first byte was seen
	foreign bool        // another cluster answered:
	label   string      // this one, "" if it sent none
	lastErr error       // of the first read or write that failed
}

// Read reads the stream. An answer that starts with a label header ends it: that is how
// another cluster answers.
func (c *outConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.checked {
		c.checked = true
		if p[0] == labelByte {
			c.readRefusal(p[:n])
			n, err = 0, errAnotherCluster
		}
	}
	c.recordError(err)
	return n, err
}

// Write writes to the stream. A callee of another cluster may have closed the connection before it read everything, so when
// writing fails its answer is looked for.
func (c *outConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil {
		return n, nil
	}
	c.recordError(err)
	if !c.checked && c.Conn.SetReadDeadline(time.Now().Add(verdictTimeout)) == nil {
		var first [1]byte
		_, _ = c.Read(first[:])
	}
	return n, err
}

// Close closes the stream.
func (c *outConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// readRefusal reads the label that the answer starts with.
func (c *outConn) readRefusal(start []byte) {
	label, err := readLabel(prefixedConn(bytes.Clone(start), c.Conn))
	if err == nil && label == c.own {
		return // an echo of what we sent, not an answer
	}
	c.foreign, c.label = true, label
}

func (c *outConn) recordError(err error) {
	if err != nil && c.lastErr == nil {
		c.lastErr = err
	}
}

// rejectStream answers a stream of another cluster with our label. It waits for the caller to close the stream, because
// closing a stream with unread data resets it and may destroy the answer.
func rejectStream(c net.Conn, own string) {
	_ = c.SetDeadline(time.Now().Add(verdictTimeout))
	if _, err := c.Write(labelHeader(own)); err != nil {
		return
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, c, maxDrain)
}

package fabric

import (
	"net"
	"sync"
	"time"
)

// Conn is one end of a stream.
type Conn struct {
	net           *Fabric
	local, remote int
	in, out       *pipe
	once          sync.Once
}

// openStream opens a stream. mu is held.
func (f *Fabric) openStream(from, to int) (here, there *Conn) {
	out, back := newPipe(f, from, to), newPipe(f, to, from)
	out.reverse, back.reverse = back, out
	here = &Conn{net: f, local: from, remote: to, in: back, out: out}
	there = &Conn{net: f, local: to, remote: from, in: out, out: back}
	f.members[from].conns[here] = struct{}{}
	f.members[to].conns[there] = struct{}{}
	return here, there
}

// Read reads what arrived.
func (c *Conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write sends. It waits while this member is frozen, whatever the deadline, while its line is busy, and while the other end has
// not read 4 MiB.
func (c *Conn) Write(b []byte) (int, error) {
	c.net.waitThawed(c.local)
	return c.out.write(b)
}

// Close ends the stream after what was written. What arrives from now on is answered with a reset.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.forget()
		c.in.endReading(net.ErrClosed)
		c.out.sendEnd()
	})
	return nil
}

// endDead ends the stream because its process or host died. Only the host of a dead process resets the other end.
func (c *Conn) endDead() {
	c.abortLocal(net.ErrClosed)
	c.net.mu.Lock()
	late := c.net.latency()
	c.net.mu.Unlock()
	c.resetPeer(late)
}

// resetPeer fails the other end, unless the path is cut: then the other end fails when it sends.
func (c *Conn) resetPeer(after time.Duration) {
	time.AfterFunc(after, func() {
		switch fate, wait := c.net.fate(c.local, c.remote); fate {
		case waits:
			c.resetPeer(wait)
		case arrives:
			c.in.fail(errReset)
			c.out.fail(errReset)
		}
	})
}

// abortLocal ends the stream here without a frame to the other end.
func (c *Conn) abortLocal(err error) {
	c.once.Do(func() {
		c.forget()
		c.in.endReading(err)
		c.out.endSending(err)
	})
}

func (c *Conn) forget() {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	delete(c.net.members[c.local].conns, c)
}

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() net.Addr { return addr(c.local) }

// RemoteAddr returns the address of the other end.
func (c *Conn) RemoteAddr() net.Addr { return addr(c.remote) }

// SetDeadline bounds reads and writes.
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.expireReads(t)
	c.out.expireWrites(t)
	return nil
}

// SetReadDeadline bounds reads.
func (c *Conn) SetReadDeadline(t time.Time) error { c.in.expireReads(t); return nil }

// SetWriteDeadline bounds writes.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.out.expireWrites(t); return nil }

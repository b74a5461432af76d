package transport

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// Memory is a network in memory, for tests: deterministic but for the goroutines that use it, and made of channels and
// timers only, so that testing/synctest can turn its clock.
type Memory struct {
	mu        sync.Mutex
	listeners map[string]*memoryListener
	delay     time.Duration
	cut       func(from, to string) bool // hosts
	loss      float64
	rng       *rand.Rand
	next      int
	changed   chan struct{} // closed and replaced when a cut or the delay changes
}

// NewMemory returns a network without delay and cuts.
func NewMemory() *Memory {
	return &Memory{listeners: make(map[string]*memoryListener), changed: make(chan struct{})}
}

// Delay sets how long each write travels.
func (m *Memory) Delay(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.delay = d
}

// retransmit is how long a write that is lost is delayed, doubling with each further loss, as TCP sends it again.
const retransmit = 200 * time.Millisecond

// Lose sets the share of writes that are lost, 0 to 0.9, and the seed by which they are chosen. A stream loses nothing: what is lost is
// sent again later, and delays what follows it on its stream, as over TCP.
func (m *Memory) Lose(share float64, seed uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loss, m.rng = min(max(share, 0), 0.9), rand.New(rand.NewPCG(seed, 0))
}

// writeDelay returns how long one write takes.
func (m *Memory) writeDelay() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, again := m.delay, retransmit
	for m.loss > 0 && m.rng.Float64() < m.loss {
		d += again
		again = min(2*again, time.Minute)
	}
	return d
}

// Cut sets which ways are cut, nil for none. What is written meanwhile arrives after the heal, as TCP would bring
// it; dials hang.
func (m *Memory) Cut(cut func(from, to string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut = cut
	close(m.changed)
	m.changed = make(chan struct{})
}

// Host returns the transport of a host of this name.
func (m *Memory) Host(name string) Transport { return memoryHost{m, name} }

// pathOpen returns whether a way is open, and a channel that is closed when that may have changed.
func (m *Memory) pathOpen(from, to string) (open bool, changed <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cut == nil || !m.cut(from, to), m.changed
}

type memoryHost struct {
	net  *Memory
	name string
}

func (h memoryHost) Listen(addr string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	m := h.net
	m.mu.Lock()
	defer m.mu.Unlock()
	if port == "0" {
		m.next++
		port = fmt.Sprint(10000 + m.next)
	}
	at := memoryAddr(net.JoinHostPort(h.name, port))
	if m.listeners[string(at)] != nil {
		return nil, fmt.Errorf("listen %s: address already in use", at)
	}
	l := &memoryListener{net: m, addr: at, accept: make(chan net.Conn), done: make(chan struct{})}
	m.listeners[string(at)] = l
	return l, nil
}

// Plain returns true; see TCP.Plain.
func (h memoryHost) Plain() bool { return true }

func (h memoryHost) Secure(_ context.Context, raw net.Conn) (Conn, error) { return plain{raw}, nil }

func (h memoryHost) Dial(ctx context.Context, addr string) (Conn, error) {
	m := h.net
	to, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	for {
		there, changed := m.pathOpen(h.name, to)
		back, _ := m.pathOpen(to, h.name)
		if there && back {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("dial %s: %w", addr, context.Cause(ctx))
		case <-changed:
		}
	}
	m.mu.Lock()
	l := m.listeners[addr]
	m.next++
	local := memoryAddr(net.JoinHostPort(h.name, fmt.Sprint(40000+m.next)))
	m.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", addr, ErrRefused)
	}
	out, in := newPipe(m, h.name, to), newPipe(m, to, h.name)
	here := &memoryConn{local: local, remote: l.addr, in: in, out: out}
	select {
	case l.accept <- &memoryConn{local: l.addr, remote: local, in: out, out: in}:
		return plain{here}, nil
	case <-l.done:
		return nil, fmt.Errorf("dial %s: %w", addr, ErrRefused)
	case <-ctx.Done():
		return nil, fmt.Errorf("dial %s: %w", addr, context.Cause(ctx))
	}
}

type memoryAddr string

func (memoryAddr) Network() string  { return "memory" }
func (a memoryAddr) String() string { return string(a) }

type memoryListener struct {
	net    *Memory
	addr   memoryAddr
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() {
		l.net.mu.Lock()
		delete(l.net.listeners, string(l.addr))
		l.net.mu.Unlock()
		close(l.done)
	})
	return nil
}

func (l *memoryListener) Addr() net.Addr { return l.addr }

// pipe is one direction of a stream.
type pipe struct {
	net      *Memory
	from, to string

	mu     sync.Mutex
	queue  []parcel
	closed bool
	change chan struct{} // closed and replaced
}

// parcel is what one write sent, and when it arrives.
type parcel struct {
	bytes []byte
	at    time.Time
}

func newPipe(m *Memory, from, to string) *pipe {
	return &pipe{net: m, from: from, to: to, change: make(chan struct{})}
}

// touch wakes who waits. mu is held.
func (p *pipe) touch() {
	close(p.change)
	p.change = make(chan struct{})
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		p.touch()
	}
}

// maxQueued is how many bytes a stream holds before a write waits.
const maxQueued = 4 << 20

func (p *pipe) write(b []byte, deadline *deadline) (int, error) {
	delay := p.net.writeDelay()
	for {
		if err := deadline.err(); err != nil {
			return 0, err
		}
		p.mu.Lock()
		queued := 0
		for _, q := range p.queue {
			queued += len(q.bytes)
		}
		switch {
		case p.closed:
			p.mu.Unlock()
			return 0, io.ErrClosedPipe
		case queued < maxQueued:
			p.queue = append(p.queue, parcel{append([]byte(nil), b...), time.Now().Add(delay)})
			p.touch()
			p.mu.Unlock()
			return len(b), nil
		}
		change := p.change
		p.mu.Unlock()
		if err := deadline.wait(change, nil, nil); err != nil {
			return 0, err
		}
	}
}

func (p *pipe) read(b []byte, deadline *deadline) (int, error) {
	for {
		if err := deadline.err(); err != nil {
			return 0, err
		}
		open, changed := p.net.pathOpen(p.from, p.to)
		p.mu.Lock()
		var arrives <-chan time.Time
		var timer *time.Timer
		switch {
		case len(p.queue) > 0 && open:
			wait := time.Until(p.queue[0].at)
			if wait <= 0 {
				n := copy(b, p.queue[0].bytes)
				if p.queue[0].bytes = p.queue[0].bytes[n:]; len(p.queue[0].bytes) == 0 {
					p.queue = p.queue[1:]
				}
				p.touch()
				p.mu.Unlock()
				return n, nil
			}
			timer = time.NewTimer(wait)
			arrives = timer.C
		case p.closed && open:
			p.mu.Unlock()
			return 0, io.EOF
		}
		change := p.change
		p.mu.Unlock()
		err := deadline.wait(change, changed, arrives)
		if timer != nil {
			timer.Stop()
		}
		if err != nil {
			return 0, err
		}
	}
}

// memoryConn is one end of a stream.
type memoryConn struct {
	local, remote memoryAddr
	in, out       *pipe
	read, write   deadline
}

func (c *memoryConn) Read(b []byte) (int, error)  { return c.in.read(b, &c.read) }
func (c *memoryConn) Write(b []byte) (int, error) { return c.out.write(b, &c.write) }
func (c *memoryConn) LocalAddr() net.Addr         { return c.local }
func (c *memoryConn) RemoteAddr() net.Addr        { return c.remote }

func (c *memoryConn) Close() error {
	c.read.end(net.ErrClosed) // first, so that who waits here learns that it was this side
	c.write.end(net.ErrClosed)
	c.out.close()
	c.in.close()
	return nil
}

func (c *memoryConn) SetDeadline(t time.Time) error {
	c.read.set(t)
	c.write.set(t)
	return nil
}

func (c *memoryConn) SetReadDeadline(t time.Time) error  { c.read.set(t); return nil }
func (c *memoryConn) SetWriteDeadline(t time.Time) error { c.write.set(t); return nil }

// deadline ends the waits of one direction.
type deadline struct {
	mu     sync.Mutex
	at     time.Time
	closed error
	change chan struct{}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	d.touch()
}

func (d *deadline) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = err
	d.touch()
}

func (d *deadline) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

func (d *deadline) touch() {
	if d.change != nil {
		close(d.change)
	}
	d.change = make(chan struct{})
}

// wait waits for one of the channels, or the end of the wait.
func (d *deadline) wait(a, b <-chan struct{}, c <-chan time.Time) error {
	d.mu.Lock()
	if d.change == nil {
		d.change = make(chan struct{})
	}
	at, closed, moved := d.at, d.closed, d.change
	d.mu.Unlock()
	if closed != nil {
		return closed
	}
	var expired <-chan time.Time
	if !at.IsZero() {
		left := time.Until(at)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		timer := time.NewTimer(left)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-a:
	case <-b:
	case <-c:
	case <-moved:
	case <-expired:
		return os.ErrDeadlineExceeded
	}
	return nil
}

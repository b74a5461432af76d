package fabric

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// ErrRefused means that a host answered that no process listens.
var ErrRefused = errors.New("connection refused")

// firstSYN is how long a handshake waits before it tries again; each further wait doubles.
const firstSYN = time.Second

// backlog is how many streams wait to be accepted, as Linux has it.
const backlog = 4096

type listener struct {
	at     net.Addr
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

// Listen opens a member's port for streams.
func (f *Fabric) Listen(i int) net.Listener {
	l := &listener{at: addr(i), accept: make(chan net.Conn, backlog), done: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members[i].listener = l
	return l
}

// Accept waits for a stream.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *listener) Close() error { l.once.Do(func() { close(l.done) }); return nil }

// Addr returns the address listened on.
func (l *listener) Addr() net.Addr { return l.at }

// put hands a stream to Accept.
func (l *listener) put(c *Conn) bool {
	select {
	case <-l.done:
		return false
	default:
	}
	select {
	case l.accept <- c:
		return true
	default:
		return false
	}
}

func addr(i int) net.Addr { return &net.TCPAddr{IP: IP(i), Port: port} }

// Dial opens a stream. The host of a frozen member takes it, so that it is open and silent, as with a real one.
func (f *Fabric) Dial(ctx context.Context, from, to int) (net.Conn, error) {
	f.waitThawed(from)
	f.mu.Lock()
	f.members[from].counters.Streams++
	f.mu.Unlock()
	for wait := firstSYN; ; wait *= 2 {
		c, late, err := f.tryHandshake(from, to)
		if c == nil && err == nil {
			late = wait
		}
		if e := sleep(ctx, late); e != nil {
			if c != nil {
				_ = c.Close()
			}
			return nil, fmt.Errorf("dial %s: %w", Addr(to), e)
		}
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", Addr(to), err)
		}
		if c != nil {
			return c, nil
		}
	}
}

// tryHandshake tries once: it returns a stream, an error or neither, and when that is known.
func (f *Fabric) tryHandshake(from, to int) (*Conn, time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	there, back := f.latency(), f.latency()
	fate, wait := f.fateOf(from, to)
	switch {
	case f.members[from].state != running || f.closed:
		return nil, 0, net.ErrClosed
	case fate == stops || f.isLost() || f.isLost():
		return nil, 0, nil
	case fate == bounces || f.members[to].listener == nil:
		return nil, there + back, ErrRefused
	}
	here, remote := f.openStream(from, to)
	l := f.members[to].listener
	time.AfterFunc(max(there, wait), func() {
		if !l.put(remote) {
			remote.endDead()
		}
	})
	return here, there + back, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Package conntrack ends the connections and dials of an HTTP client with what they were made for: a transport closes a connection
// only some time after its last request has ended, and lets a dial go on without one.
package conntrack

import (
	"context"
	"net"
	"sync"
)

// Tracker keeps the open connections and the dials at hand. Its methods may be called at once.
type Tracker struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	open  map[*conn]struct{} // nil once closed
	dials map[*context.CancelFunc]struct{}
	wg    sync.WaitGroup // of dials
}

type conn struct {
	net.Conn
	of *Tracker
}

// New returns a tracker of what dial opens.
func New(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Tracker {
	return &Tracker{dial: dial, open: make(map[*conn]struct{}), dials: make(map[*context.CancelFunc]struct{})}
}

// Dial opens a connection; after Close that is net.ErrClosed.
func (t *Tracker) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !t.begin(&cancel) {
		return nil, net.ErrClosed
	}
	defer t.wg.Done()
	raw, err := t.dial(ctx, network, addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.dials, &cancel)
	switch {
	case err != nil:
		return nil, err
	case t.open == nil:
		_ = raw.Close() // it was never used
		return nil, net.ErrClosed
	}
	one := &conn{raw, t}
	t.open[one] = struct{}{}
	return one, nil
}

// begin notes a dial; there is none after Close.
func (t *Tracker) begin(cancel *context.CancelFunc) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		return false
	}
	t.dials[cancel] = struct{}{}
	t.wg.Add(1)
	return true
}

// Close closes all connections, ends all dials and waits for them.
func (t *Tracker) Close() {
	t.mu.Lock()
	for cancel := range t.dials {
		(*cancel)()
	}
	open := t.open
	t.open = nil
	t.mu.Unlock()
	for one := range open {
		_ = one.Conn.Close() // what it still carries is not needed
	}
	t.wg.Wait()
}

// Close closes the connection.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

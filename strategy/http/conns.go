package http

import (
	"context"
	"net"
	"sync"
)

// conns are the connections of a Run, and the dials at hand. A transport closes a connection only some time after
// its last request has ended, and lets a dial go on without one; a Run that ends ends them all.
type conns struct {
	dial dialFunc

	mu    sync.Mutex
	open  map[*conn]struct{} // nil once closed
	dials map[*context.CancelFunc]struct{}
	wg    sync.WaitGroup // of dials
}

type conn struct {
	net.Conn
	of *conns
}

func newConns(dial dialFunc) *conns {
	return &conns{dial: dial, open: make(map[*conn]struct{}), dials: make(map[*context.CancelFunc]struct{})}
}

// connect opens a connection.
func (c *conns) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !c.begin(&cancel) {
		return nil, net.ErrClosed
	}
	defer c.wg.Done()
	raw, err := c.dial(ctx, network, addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.dials, &cancel)
	switch {
	case err != nil:
		return nil, err
	case c.open == nil:
		_ = raw.Close() // it was never used
		return nil, net.ErrClosed
	}
	one := &conn{raw, c}
	c.open[one] = struct{}{}
	return one, nil
}

// begin notes a dial; there is none after close.
func (c *conns) begin(cancel *context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		return false
	}
	c.dials[cancel] = struct{}{}
	c.wg.Add(1)
	return true
}

// close closes all connections, ends all dials and waits for them.
func (c *conns) close() {
	c.mu.Lock()
	for cancel := range c.dials {
		(*cancel)()
	}
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for one := range open {
		_ = one.Conn.Close() // nobody waits for what it still carries
	}
	c.wg.Wait()
}

// Close closes the connection.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

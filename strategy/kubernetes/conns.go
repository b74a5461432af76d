package kubernetes

import (
	"context"
	"net"
	"sync"
)

// conns are the open connections of a Run. A transport closes one that carries a request only some time
// after the request has ended; a Run that ends closes them all.
type conns struct {
	dial dialFunc
	life context.Context // of the dials: a transport lets them go on when their request has ended
	end  context.CancelFunc

	mu   sync.Mutex
	open map[*conn]struct{} // nil once closed
}

type conn struct {
	net.Conn
	of *conns
}

func newConns(dial dialFunc) *conns {
	c := &conns{dial: dial, open: make(map[*conn]struct{})}
	c.life, c.end = context.WithCancel(context.Background())
	return c
}

// connect opens a connection.
func (c *conns) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	raw, err := c.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	one := &conn{raw, c}
	c.mu.Lock()
	closed := c.open == nil
	if !closed {
		c.open[one] = struct{}{}
	}
	c.mu.Unlock()
	if closed {
		raw.Close()
		return nil, net.ErrClosed
	}
	return one, nil
}

// close closes all connections, and those that a dial at hand will yet bring.
func (c *conns) close() {
	c.end()
	c.mu.Lock()
	all := c.open
	c.open = nil
	c.mu.Unlock()
	for one := range all {
		_ = one.Conn.Close() // nobody waits for what it still carries
	}
}

// Close closes the connection.
func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

package strategytest

import (
	"context"
	"net"
	"sync"
)

// Listener is a server's listener in memory, for sources that are servers: a connection is a pair of pipes, which keeps to the
// clock of the bubble, where a real socket stops it. Serve on it, and lend its Dial to the strategy by [Source.Env]:
//
//	l := strategytest.Listen("10.0.0.9:80")
//	server := &http.Server{Handler: handler}
//	go server.Serve(l)
//	tb.Cleanup(func() { server.Close() })
//	return &strategytest.Source{Env: strategy.Env{Dial: l.Dial}, Config: "url: http://10.0.0.9/", …}
type Listener struct {
	addr   pipeAddr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

// Listen returns a listener whose Addr is address, which nothing checks.
func Listen(address string) *Listener {
	return &Listener{addr: pipeAddr(address), conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Dial connects to the listener, whatever the network and the address. It waits until the server accepts, the listener is
// closed or ctx is done.
func (l *Listener) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a connection; after Close it returns [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener; connections stay open.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr returns the address given to Listen.
func (l *Listener) Addr() net.Addr { return l.addr }

// pipeAddr is the address of a [Listener].
type pipeAddr string

func (pipeAddr) Network() string  { return "pipe" }
func (a pipeAddr) String() string { return string(a) }

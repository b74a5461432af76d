package kube

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Proxy forwards TCP connections and can fail as networks do. Its methods may be called from any goroutine.
type Proxy struct {
	to       string
	listener net.Listener
	wg       sync.WaitGroup

	mu          sync.Mutex
	conns       map[net.Conn]bool // both sides of all connections; false: it is silent
	refuse      bool              // new connections are closed at once
	connections int
	swallowed   int64 // bytes
}

// NewProxy starts a proxy to an address on a port of the loopback interface; it ends with the test.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{to: to, listener: l, conns: make(map[net.Conn]bool)}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.Cut()
		p.Refuse(true)
		p.wg.Wait()
	})
	return p
}

// Addr returns host:port to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Connections returns how many there were.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

// Cut closes all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// Refuse closes new connections at once, or no longer.
func (p *Proxy) Refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = yes
}

// Swallow makes the present connections silent for ever, without an end that either side could see; new ones work.
func (p *Proxy) Swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.conns[c] = false
	}
}

// Swallowed returns how many bytes went nowhere.
func (p *Proxy) Swallowed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.swallowed
}

func (p *Proxy) serve() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.forward(near) })
	}
}

// forward joins a connection with one to the server until either ends.
func (p *Proxy) forward(near net.Conn) {
	defer near.Close()
	if !p.take(near) {
		return
	}
	defer p.forget(near)
	p.count()
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer far.Close()
	if !p.take(far) {
		return
	}
	defer p.forget(far)
	var both sync.WaitGroup
	both.Go(func() { p.copy(near, far) })
	p.copy(far, near)
	far.Close()
	both.Wait()
}

// take counts a connection in, unless connections are refused.
func (p *Proxy) take(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) count() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connections++
}

func (p *Proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// copy carries bytes one way, while the connection is not silent. Neither side sees the end of a silent one.
func (p *Proxy) copy(to, from net.Conn) {
	defer from.Close()
	_, _ = io.Copy(&lossy{p, to, from}, from)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[from] {
		to.Close()
	}
}

// lossy writes to a connection until that is silent.
type lossy struct {
	p        *Proxy
	to, from net.Conn
}

// Write claims to have written.
func (l *lossy) Write(b []byte) (int, error) {
	l.p.mu.Lock()
	open := l.p.conns[l.from]
	if !open {
		l.p.swallowed += int64(len(b))
	}
	l.p.mu.Unlock()
	if !open {
		return len(b), nil
	}
	return l.to.Write(b)
}

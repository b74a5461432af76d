package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// TCP is a [Transport] over TCP.
type TCP struct {
	Security Security // nil means Plain
}

// keepAlive lets the kernel notice a dead host by itself; the protocol's own heartbeats are faster.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

func (t TCP) security() Security {
	if t.Security == nil {
		return Plain{}
	}
	return t.Security
}

// SecurityState returns what the security uses; Kind is "" if it does not report that.
func (t TCP) SecurityState() SecurityState {
	if s, ok := t.security().(interface{ SecurityState() SecurityState }); ok {
		return s.SecurityState()
	}
	return SecurityState{}
}

// RefreshSecurity has the security take over what was replaced at its source; see [Secured].
func (t TCP) RefreshSecurity(now time.Time) {
	if s, ok := t.security().(interface{ Refresh(now time.Time) }); ok {
		s.Refresh(now)
	}
}

// RequireName returns an error if the security does not prove a name; see [Secured].
func (t TCP) RequireName(name string) error {
	if s, ok := t.security().(interface{ RequireName(name string) error }); ok {
		return s.RequireName(name)
	}
	return nil
}

// Plain reports whether streams are sent as they are, so that any peer can read what is written to a raw one.
func (t TCP) Plain() bool {
	_, plain := t.security().(Plain)
	return plain
}

// Listen listens on host:port.
func (t TCP) Listen(addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive, Control: keepThinStreamsFast}
	lc.SetMultipathTCP(false)                           // no node dials it, and the options of its listeners are not those of the streams
	return lc.Listen(context.Background(), "tcp", addr) // binding a literal address does not wait
}

// Secure runs the server's side of the security's handshake.
func (t TCP) Secure(ctx context.Context, raw net.Conn) (Conn, error) {
	return t.security().Server(ctx, raw)
}

// Dial connects and runs the client's side of the security's handshake.
func (t TCP) Dial(ctx context.Context, addr string) (Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive, Control: keepThinStreamsFast}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("dial %s: %w", addr, ErrRefused)
	}
	if err != nil {
		return nil, err
	}
	return t.security().Client(ctx, raw)
}

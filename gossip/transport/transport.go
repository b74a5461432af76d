// Package transport carries the streams between nodes: TCP, plain or secured by mutual TLS or by a pre-shared key, and
// a network in memory for tests. It knows nothing of what the streams carry.
package transport

import (
	"context"
	"errors"
	"net"
)

// Conn is a stream to another node. It is ordered and reliable, or broken.
type Conn interface {
	net.Conn
	// Proves reports whether the other side may go by this name. A transport that knows nothing of names allows all.
	Proves(name string) bool
}

// Transport opens streams. Its methods may be called at once.
type Transport interface {
	// Listen accepts raw streams on host:port; port 0 takes a free one.
	Listen(addr string) (net.Listener, error)
	// Secure makes an accepted stream usable, within the deadline of ctx. On an error it is closed.
	Secure(ctx context.Context, raw net.Conn) (Conn, error)
	// Dial opens a stream that is usable, within the deadline of ctx. The error wraps [ErrRefused] when the host lives
	// and no process listens there.
	Dial(ctx context.Context, addr string) (Conn, error)
}

// ErrRefused means that a host answered that no process listens: the process is gone.
var ErrRefused = errors.New("connection refused")

var (
	// ErrHandshake means that a stream came about, and that the handshake that makes it usable failed.
	ErrHandshake = errors.New("handshake")
	// ErrUntrusted means that one side does not accept the key or the certificate of the other.
	ErrUntrusted = errors.New("not trusted")
)

// Package transport carries the streams between nodes: TCP, plain or secured by mutual TLS or by a pre-shared key, and
// a network in memory for tests. It knows nothing of what the streams carry.
package transport

import (
	"context"
	"errors"
	"fmt"
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

// Security turns a raw stream into one between nodes that may talk to each other. Both methods return within the deadline of ctx.
type Security interface {
	Client(ctx context.Context, raw net.Conn) (Conn, error)
	Server(ctx context.Context, raw net.Conn) (Conn, error)
}

// Plain is no security: for networks that only nodes can reach.
type Plain struct{}

// Client returns the stream as it is.
func (Plain) Client(_ context.Context, raw net.Conn) (Conn, error) { return plain{raw}, nil }

// Server returns the stream as it is.
func (Plain) Server(_ context.Context, raw net.Conn) (Conn, error) { return plain{raw}, nil }

type plain struct{ net.Conn }

func (plain) Proves(string) bool { return true }

// runHandshake runs a handshake that ends with ctx, and closes the stream if it fails.
func runHandshake(ctx context.Context, raw net.Conn, handshake func() (Conn, error)) (Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	c, err := handshake()
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = raw.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%w with %s: %w", ErrHandshake, raw.RemoteAddr(), err)
	}
	return c, nil
}

package transport

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Security turns a raw stream into one between nodes that may talk to each other. Both methods return within the deadline of ctx.
type Security interface {
	Client(ctx context.Context, raw net.Conn) (Conn, error)
	Server(ctx context.Context, raw net.Conn) (Conn, error)
}

// Secured is a [Transport] whose keys or certificates can be replaced while streams use them. Its methods may be called at once.
type Secured interface {
	// SecurityState returns what is in use.
	SecurityState() SecurityState
	// RefreshSecurity takes over what was replaced at its source since the last call, such as files of certificates. What cannot be used
	// is not taken over, and shown by SecurityState.
	RefreshSecurity(now time.Time)
	// RequireName returns an error if what is in use does not prove a name, and refuses later replacements that do not.
	RequireName(name string) error
}

// Verifier is a [Conn] that the other side can lose the right to.
type Verifier interface {
	// Verify returns an error that wraps [ErrUntrusted] if the other side would not be accepted with what it has shown in the handshake and
	// what is in use now: its certificate has ended, or its key or certificate authority is not trusted any longer.
	Verify(now time.Time) error
}

// The values of SecurityState.Kind.
const (
	KindPlain = "plain"
	KindTLS   = "tls"
	KindPSK   = "psk"
)

// SecurityState is what a security uses, and how the last replacement went.
type SecurityState struct {
	Kind string // "plain", "tls" or "psk"; "" for a transport that does not report it

	// Of TLS alone.
	Names       []string  // of the own certificate
	Serial      string    // of the own certificate, in hex
	Authorities []string  // common names of the certificates of the CA file
	NotBefore   time.Time // of the own certificate
	NotAfter    time.Time // when the own certificate ends, or one above it, if that is earlier

	// KeyIDs are IDs of the pre-shared keys: 8 hex digits that are the same at all nodes with a key and disclose nothing of it. The first
	// key dials, all are accepted.
	KeyIDs []string

	TakenOver time.Time // when the present keys or certificates were taken into use
	Failed    time.Time // when it was found that their replacement cannot be used; zero: nothing failed since TakenOver
	Err       error     // why it cannot be used; nil: nothing failed since TakenOver
}

// Plain is no security: for networks that only nodes can reach.
type Plain struct{}

// Client returns the stream as it is.
func (Plain) Client(_ context.Context, raw net.Conn) (Conn, error) { return plain{raw}, nil }

// Server returns the stream as it is.
func (Plain) Server(_ context.Context, raw net.Conn) (Conn, error) { return plain{raw}, nil }

// SecurityState returns the kind "plain".
func (Plain) SecurityState() SecurityState { return SecurityState{Kind: KindPlain} }

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

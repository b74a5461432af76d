package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// tlsConn is a stream whose two sides have shown certificates.
type tlsConn struct {
	*tls.Conn
	tls   *TLS
	names []string // that the other side may go by

	mu       sync.Mutex
	verified *certificates // by whose authorities the other side was verified last; nil: not since the handshake
	until    time.Time     // when that ends
}

// Verify verifies the certificate of the other side again, if it has ended or there are other authorities since the last time.
func (c *tlsConn) Verify(now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	current := c.tls.current.Load()
	if current == c.verified && !now.After(c.until) {
		return nil
	}
	until, err := verifyPeer(c.ConnectionState().PeerCertificates, current.roots, now)
	if err == nil {
		c.verified, c.until = current, until
	}
	return err
}

// markUntrusted wraps an alert of the other side about our certificate in ErrUntrusted. With TLS 1.3 a client receives it when it
// first reads, after its own handshake.
func markUntrusted(err error) error {
	op := new(net.OpError)
	if errors.As(err, &op) && op.Op == "remote error" {
		return fmt.Errorf("%w by the other side: %w", ErrUntrusted, err)
	}
	return err
}

func (c *tlsConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = markUntrusted(err)
	}
	return n, err
}

// Proves reports whether the certificate carries the name.
func (c *tlsConn) Proves(name string) bool { return slices.Contains(c.names, name) }

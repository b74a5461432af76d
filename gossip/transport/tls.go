package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

// TLS is mutual TLS 1.3: each side shows a certificate of the CA, whose DNS names, or common name if it has none, are
// the names that its node may go by. The files are read again when one of them changes, so that certificates can be
// rotated; if they cannot be read then, the last good ones stay in use.
type TLS struct {
	certFile, keyFile, caFile string

	mu    sync.Mutex
	stamp [3]fileStamp
	cert  *tls.Certificate
	roots *x509.CertPool
}

type fileStamp struct {
	modified time.Time
	size     int64
}

// NewTLS reads the files, in PEM form.
func NewTLS(certFile, keyFile, caFile string) (*TLS, error) {
	t := &TLS{certFile: certFile, keyFile: keyFile, caFile: caFile}
	stamp, err := t.stamps()
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if err := t.loadFiles(stamp); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return t, nil
}

func (t *TLS) stamps() (s [3]fileStamp, err error) {
	for i, path := range []string{t.certFile, t.keyFile, t.caFile} {
		info, err := os.Stat(path)
		if err != nil {
			return s, err
		}
		s[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

// loadFiles takes the files into use. mu is held, or t is not shared yet.
func (t *TLS) loadFiles(stamp [3]fileStamp) error {
	cert, err := tls.LoadX509KeyPair(t.certFile, t.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", t.certFile, err)
	}
	pem, err := os.ReadFile(t.caFile)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", t.caFile)
	}
	t.cert, t.roots, t.stamp = &cert, roots, stamp
	return nil
}

// config returns the configuration of one handshake.
func (t *TLS) config() *tls.Config {
	t.mu.Lock()
	defer t.mu.Unlock()
	if stamp, err := t.stamps(); err == nil && stamp != t.stamp {
		_ = t.loadFiles(stamp) // half written, perhaps: the last good ones serve until it can be read
	}
	roots := t.roots
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{*t.cert},
		ClientAuth:   tls.RequireAnyClientCert,
		// Nodes are known by name, not by the address dialled: VerifyConnection checks the chain on both sides.
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { return verifyPeer(s, roots) },
	}
}

// verifyPeer checks the certificate of the other side against the CA.
func verifyPeer(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("%w: no certificate shown", ErrUntrusted)
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	return nil
}

// Client runs the handshake of the side that dialled.
func (t *TLS) Client(ctx context.Context, raw net.Conn) (Conn, error) {
	return t.handshake(ctx, raw, tls.Client(raw, t.config()))
}

// Server runs the handshake of the side that was dialled.
func (t *TLS) Server(ctx context.Context, raw net.Conn) (Conn, error) {
	return t.handshake(ctx, raw, tls.Server(raw, t.config()))
}

func (t *TLS) handshake(ctx context.Context, raw net.Conn, c *tls.Conn) (Conn, error) {
	return runHandshake(ctx, raw, func() (Conn, error) {
		if err := c.HandshakeContext(ctx); err != nil {
			return nil, markUntrusted(err)
		}
		leaf := c.ConnectionState().PeerCertificates[0]
		names := leaf.DNSNames
		if len(names) == 0 {
			names = []string{leaf.Subject.CommonName}
		}
		return &tlsConn{c, names}, nil
	})
}

type tlsConn struct {
	*tls.Conn
	names []string
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

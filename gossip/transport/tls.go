package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/internal/reread"
)

// TLS is mutual TLS 1.3: each side shows a certificate of the CA, whose DNS names, or common name if it has none, are
// the names that its node may go by. Refresh reads the files again, so that certificates can be rotated: what cannot be used as a
// whole is not taken over, and the last good ones stay in use.
type TLS struct {
	files tlsFiles

	mu      sync.Mutex // guards all below, and serializes the readings
	readers [3]reread.File
	newest  tlsContent // as last read
	name    string     // that certificates have to prove; "": any
	checked time.Time  // when the files were last looked at
	taken   time.Time  // when the present ones were taken into use
	broken  breakage

	current atomic.Pointer[certificates]
}

// tlsFiles names the files, in PEM form.
type tlsFiles struct{ cert, key, ca string }

// maxPEM is the largest file that is read, in bytes.
const maxPEM = 1 << 20

// breakage is why the newest content of the files cannot be used, and since when. It is shown after settleTime only: three files are not
// replaced at once.
type breakage struct {
	err     error // nil: it can be used
	content tlsContent
	since   time.Time
}

// settleTime is how long the files may be unusable before that counts as a mistake.
const settleTime = 3 * time.Second

// NewTLS reads the files, in PEM form. The own certificate has to be signed by an authority of the CA file; one that has ended, or is not
// valid yet, is accepted, since the clock may be wrong, and shown by SecurityState.
func NewTLS(certFile, keyFile, caFile string) (*TLS, error) {
	t := &TLS{files: tlsFiles{certFile, keyFile, caFile}}
	now := time.Now()
	if err := t.read(); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	made, err := t.files.parse(t.newest)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	if err := made.checkEnded(now); err != nil {
		return nil, fmt.Errorf("tls: certificate %s with authorities %s: %w", certFile, caFile, err)
	}
	t.current.Store(made)
	t.taken = now
	return t, nil
}

// read reads the files that have changed into newest. mu is held, or t is not shared yet.
func (t *TLS) read() error {
	for i, f := range []struct {
		path string
		into *[]byte
	}{{t.files.cert, &t.newest.cert}, {t.files.key, &t.newest.key}, {t.files.ca, &t.newest.ca}} {
		t.readers[i].Most = maxPEM
		data, changed, err := t.readers[i].Read(f.path)
		if err != nil {
			return err
		}
		if changed {
			*f.into = data
		}
	}
	return nil
}

// Refresh reads the files that have changed, and takes them into use if they fit together: the key is that of the certificate, the
// certificate is valid now, has the name that was required, and is signed by an authority of the CA file. Streams stay as they are; their
// Verify goes by the new authorities.
func (t *TLS) Refresh(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checked = now
	made, err := t.load(now)
	switch {
	case err == nil:
		t.broken = breakage{}
	case t.broken.err == nil || !t.broken.content.equal(t.newest):
		t.broken = breakage{err, t.newest, now}
	}
	if made != nil {
		t.current.Store(made)
		t.taken = now
	}
}

// load returns the certificates that the files hold now; nil if they are those in use, or cannot be used. mu is held.
func (t *TLS) load(now time.Time) (*certificates, error) {
	if err := t.read(); err != nil {
		return nil, err
	}
	if t.newest.equal(t.current.Load().content) {
		return nil, nil
	}
	made, err := t.files.parse(t.newest)
	if err != nil {
		return nil, err
	}
	if err := made.checkOwn(now); err != nil {
		return nil, fmt.Errorf("certificate %s with authorities %s: %w", t.files.cert, t.files.ca, err)
	}
	if err := made.prove(t.name); err != nil {
		return nil, err
	}
	return made, nil
}

// RequireName returns an error unless the own certificate has a name, and has Refresh take over only certificates with it.
func (t *TLS) RequireName(name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.name = name
	return t.current.Load().prove(name)
}

// SecurityState returns the certificates in use, and what is wrong with the files if they cannot be taken over.
func (t *TLS) SecurityState() SecurityState {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.current.Load()
	s := SecurityState{
		Kind: KindTLS, Names: c.names, Serial: c.leaf.SerialNumber.Text(16), Authorities: c.issuers,
		NotBefore: c.leaf.NotBefore, NotAfter: c.notAfter, TakenOver: t.taken,
	}
	if b := t.broken; b.err != nil && t.checked.Sub(b.since) >= settleTime {
		s.Failed, s.Err = b.since, b.err
	}
	return s
}

// config returns the configuration of one handshake.
func (t *TLS) config() *tls.Config {
	c := t.current.Load()
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{c.pair},
		ClientAuth:   tls.RequireAnyClientCert,
		// Nodes are known by name, not by the address dialled: VerifyConnection checks the chain on both sides.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := verifyPeer(s.PeerCertificates, c.roots, time.Now())
			return err
		},
	}
}

// verifyPeer checks the certificates of the other side against authorities, and returns until when they hold.
func verifyPeer(shown []*x509.Certificate, roots *x509.CertPool, now time.Time) (until time.Time, err error) {
	if len(shown) == 0 {
		return until, fmt.Errorf("%w: no certificate shown", ErrUntrusted)
	}
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	if until, err = verifyChain(shown[0], between, roots, now); err != nil {
		return until, fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	return until, nil
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
		return &tlsConn{Conn: c, tls: t, names: namesOf(c.ConnectionState().PeerCertificates[0])}, nil
	})
}

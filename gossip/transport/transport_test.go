package transport

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair is both ends of a stream, or why there is none.
type pair struct {
	client, server       Conn
	clientErr, serverErr error
}

// connect dials one security with another over loopback.
func connect(t *testing.T, client, server Security) pair {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l, err := TCP{}.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var p pair
	done := make(chan struct{})
	go func() {
		defer close(done)
		raw, err := l.Accept()
		if err != nil {
			p.serverErr = err
			return
		}
		if p.server, p.serverErr = (TCP{server}).Secure(ctx, raw); p.serverErr == nil {
			t.Cleanup(func() { _ = p.server.Close() })
		}
	}()
	if p.client, p.clientErr = (TCP{client}).Dial(ctx, l.Addr().String()); p.clientErr == nil {
		t.Cleanup(func() { _ = p.client.Close() })
	}
	<-done
	return p
}

// exchange sends 1 MiB each way at once and compares.
func exchange(t *testing.T, p pair) {
	t.Helper()
	if p.clientErr != nil || p.serverErr != nil {
		t.Fatalf("client: %v, server: %v", p.clientErr, p.serverErr)
	}
	sent := make([]byte, 1<<20)
	_, _ = rand.Read(sent)
	errs := make(chan error, 4)
	for _, ends := range [][2]Conn{{p.client, p.server}, {p.server, p.client}} {
		go func() { _, err := ends[0].Write(sent); errs <- err }()
		go func() {
			got := make([]byte, len(sent))
			_, err := io.ReadFull(ends[1], got)
			if err == nil && !bytes.Equal(got, sent) {
				err = errors.New("other bytes came")
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestADialWhereNoProcessListensIsRefused(t *testing.T) {
	l, err := TCP{}.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if _, err := (TCP{}).Dial(t.Context(), l.Addr().String()); !errors.Is(err, ErrRefused) {
		t.Errorf("Dial = %v, want ErrRefused", err)
	}
}

func key(b byte) []byte { return bytes.Repeat([]byte{b}, pskSize) }

func psk(t *testing.T, keys ...[]byte) *PSK {
	t.Helper()
	p, err := NewPSK(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPreSharedKeysCanBeChangedOneByOne(t *testing.T) {
	exchange(t, connect(t, psk(t, key(1)), psk(t, key(1))))
	exchange(t, connect(t, psk(t, key(1)), psk(t, key(2), key(1))))
}

func TestAnotherPreSharedKeyIsNamedOnBothSides(t *testing.T) {
	p := connect(t, psk(t, key(1)), psk(t, key(2), key(3)))
	if !errors.Is(p.clientErr, ErrKey) || !errors.Is(p.serverErr, ErrKey) {
		t.Errorf("client: %v, server: %v, want ErrKey", p.clientErr, p.serverErr)
	}
}

func TestPreSharedKeysOfAnotherSizeAreRefused(t *testing.T) {
	for _, keys := range [][][]byte{{}, {make([]byte, 16)}, {key(1), nil}, make([][]byte, maxKeys+1)} {
		if _, err := NewPSK(keys...); err == nil {
			t.Errorf("NewPSK of %d keys was accepted", len(keys))
		}
	}
}

func TestNothingReadableIsSentUnderAPreSharedKey(t *testing.T) {
	a, b := net.Pipe()
	var seen bytes.Buffer
	tapped := &tap{Conn: a, seen: &seen}
	done := make(chan error, 1)
	go func() {
		c, err := psk(t, key(1)).Server(t.Context(), b)
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 6))
		}
		done <- err
	}()
	c, err := psk(t, key(1)).Client(t.Context(), tapped)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(seen.Bytes(), []byte("secret")) || seen.Len() < 50 {
		t.Errorf("%d bytes were sent: %x", seen.Len(), seen.Bytes())
	}
}

// tap records what is written.
type tap struct {
	net.Conn
	seen *bytes.Buffer
}

func (c *tap) Write(b []byte) (int, error) {
	c.seen.Write(b)
	return c.Conn.Write(b)
}

func TestASilentPeerEndsWithTheDeadline(t *testing.T) {
	for name, s := range map[string]Security{"psk": psk(t, key(1)), "tls": authority(t).node(t, "n", time.Hour)} {
		a, b := net.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if _, err := s.Server(ctx, a); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want the deadline", name, err)
		}
		cancel()
		_ = b.Close()
	}
}

// ca makes certificates.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func authority(t *testing.T) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &ca{cert, key}
}

// write puts a node's files, of a certificate valid for so long, into a directory.
func (a *ca) write(t *testing.T, dir, name string, valid time.Duration) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(valid),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der},
		"key.pem":  {Type: "EC PRIVATE KEY", Bytes: keyDER},
		"ca.pem":   {Type: "CERTIFICATE", Bytes: a.cert.Raw},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (a *ca) node(t *testing.T, name string, valid time.Duration) *TLS {
	t.Helper()
	dir := t.TempDir()
	a.write(t, dir, name, valid)
	return load(t, dir)
}

func load(t *testing.T, dir string) *TLS {
	t.Helper()
	s, err := NewTLS(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMutualTLSProvesNames(t *testing.T) {
	a := authority(t)
	p := connect(t, a.node(t, "one", time.Hour), a.node(t, "two", time.Hour))
	exchange(t, p)
	if !p.client.Proves("two") || p.client.Proves("one") || !p.server.Proves("one") || p.server.Proves("") {
		t.Error("the certificates prove other names than their own")
	}
}

func TestACertificateThatIsNotGoodIsRefusedWithItsReason(t *testing.T) {
	a := authority(t)
	good := a.node(t, "good", time.Hour)
	for name, c := range map[string]struct {
		client, server Security
		want           string
	}{
		"expired server": {good, a.node(t, "old", -time.Hour), "expired"},
		"expired client": {a.node(t, "old", -time.Hour), good, "expired"},
		"foreign server": {good, authority(t).node(t, "x", time.Hour), "unknown authority"},
		"foreign client": {authority(t).node(t, "x", time.Hour), good, "unknown authority"},
	} {
		p := connect(t, c.client, c.server)
		both := ""
		for _, err := range []error{p.clientErr, p.serverErr} {
			if err != nil {
				both += err.Error() + "; "
			}
		}
		if !strings.Contains(both, c.want) {
			t.Errorf("%s: %q, want %q in it", name, both, c.want)
		}
	}
}

package http

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/internal/bounded"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key, a.pem = sign(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

// sign makes a certificate; a nil authority signs itself.
func sign(t *testing.T, by *authority, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	must(t, err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// issue returns a certificate and its key in PEM.
func (a *authority) issue(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	_, secret, cert := sign(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	der, err := x509.MarshalPKCS8PrivateKey(secret)
	must(t, err)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serveTLS serves f on loopback to clients that an authority knows. It returns the URL.
func serveTLS(t *testing.T, f *fake, server, clients *authority) string {
	t.Helper()
	pair, err := tls.X509KeyPair(server.issue(t, "peers.test"))
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(clients.cert)
	s := httptest.NewUnstartedServer(f)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are part of the test
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestCertificatesAreReadAgainWhenTheyChange(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	f := new(fake)
	f.serves(`[{"targets": ["a:1"]}]`)
	url := serveTLS(t, f, ours, ours)
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	put := func(authorities []byte, by *authority, name string) {
		c, k := by.issue(t, name)
		write(t, ca, string(authorities))
		write(t, cert, string(c))
		write(t, key, string(k))
	}
	put(others.pem, ours, "node1")
	a := askerOn(t, (&net.Dialer{}).DialContext, func(c *Config) {
		c.URL, c.CAFile, c.CertFile, c.KeyFile, c.ServerName = url, ca, cert, key, "peers.test"
	})
	ask := func(what, wantErr string) {
		t.Helper()
		peers, err := a.lookup(t.Context())
		switch {
		case wantErr == "" && (err != nil || len(peers) != 1):
			t.Errorf("%s: %v, %v", what, peers, err)
		case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)):
			t.Errorf("%s: %v, want %q", what, err, wantErr)
		}
	}
	ask("another authority", "certificate signed by unknown authority")
	put(ours.pem, others, "node1")
	ask("a client of another authority", "tls: ")
	put(ours.pem, ours, "node1")
	ask("all is well", "")
	ask("and stays well", "")
	put(append(others.pem, ours.pem...), ours, "node2")
	ask("both authorities, another certificate", "")
	if last := f.asked(); last[0].TLS.PeerCertificates[0].Subject.CommonName != "node1" ||
		last[2].TLS.PeerCertificates[0].Subject.CommonName != "node2" || last[2].ProtoMajor != 1 {
		t.Errorf("the server saw %v", last[2].TLS.PeerCertificates[0].Subject)
	}
	_, stranger := ours.issue(t, "node3")
	write(t, key, string(stranger))
	ask("a key that does not match", "private key does not match public key")
	write(t, key, "")
	ask("an empty key", "cert_file "+cert+" with key_file "+key+": tls: ")
	must(t, os.Remove(key))
	ask("no key", "key_file: open ")
	put([]byte("junk"), ours, "node1")
	ask("no authority", "holds no certificate in PEM")
	put(ours.pem, ours, "node1")
	ask("mended", "")
}

func TestTheNameInTheCertificateIsChecked(t *testing.T) {
	ours := newAuthority(t)
	f := new(fake)
	f.serves("[]")
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	write(t, ca, string(ours.pem))
	url := serveTLS(t, f, ours, ours)
	a := askerOn(t, (&net.Dialer{}).DialContext, func(c *Config) { c.URL, c.CAFile = url, ca })
	if _, err := a.lookup(t.Context()); err == nil || !strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("%v, want the certificate to be of another server", err)
	}
	if n := len(f.asked()); n > 0 {
		t.Errorf("%d requests reached the server", n)
	}
}

func TestFilesThatAreNoneAreErrors(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	write(t, large, strings.Repeat("x", maxPEM+1))
	for path, want := range map[string]string{
		dir: "not a regular file", large: "larger than", filepath.Join(dir, "missing"): "no such file",
	} {
		if _, err := bounded.ReadFile(path, maxPEM); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

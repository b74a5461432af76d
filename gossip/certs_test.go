package gossip

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/transport"
)

// authority issues certificates.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t}
	var der []byte
	der, a.key = a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(2 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	})
	var err error
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue signs a certificate; the first one signs itself.
func (a *authority) issue(c *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return der, key
}

// node returns the TLS of a node whose certificate has this name, is valid for so long from now on, and which trusts the given
// authorities.
func (a *authority) node(name string, valid time.Duration, trusts ...*authority) *transport.TLS {
	a.t.Helper()
	f := a.files(name, valid, trusts...)
	s, err := transport.NewTLS(f.path("cert.pem"), f.path("key.pem"), f.path("ca.pem"))
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

// pemFiles is a directory with the files of a node.
type pemFiles string

func (f pemFiles) path(name string) string { return filepath.Join(string(f), name) }

// files returns a new directory with the files of a node, as those of node.
func (a *authority) files(name string, valid time.Duration, trusts ...*authority) pemFiles {
	a.t.Helper()
	f := pemFiles(a.t.TempDir())
	a.write(f, name, valid, trusts...)
	return f
}

// write replaces the files of a node.
func (a *authority) write(f pemFiles, name string, valid time.Duration, trusts ...*authority) {
	a.t.Helper()
	der, key := a.issue(&x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid),
	})
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	var cas []byte
	for _, t := range trusts {
		cas = append(cas, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: t.cert.Raw})...)
	}
	for file, text := range map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
		"ca.pem":   cas,
	} {
		if err := os.WriteFile(f.path(file), text, 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
}

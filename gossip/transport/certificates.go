package transport

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// certificates are an own certificate with its key, and the authorities by which those of others are trusted. They are never changed.
type certificates struct {
	pair     tls.Certificate
	leaf     *x509.Certificate
	names    []string // of the leaf
	roots    *x509.CertPool
	issuers  []string // common names of roots
	between  *x509.CertPool
	notAfter time.Time // when the leaf ends, or one above it, if that is earlier
	content  tlsContent
}

// tlsContent is what the three files hold.
type tlsContent struct{ cert, key, ca []byte }

func (c tlsContent) equal(o tlsContent) bool {
	return bytes.Equal(c.cert, o.cert) && bytes.Equal(c.key, o.key) && bytes.Equal(c.ca, o.ca)
}

// parse makes certificates of the content of the files. An error names the file at fault.
func (f tlsFiles) parse(content tlsContent) (*certificates, error) {
	pair, err := tls.X509KeyPair(content.cert, content.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.cert, f.key, err)
	}
	c := &certificates{pair: pair, leaf: pair.Leaf, names: namesOf(pair.Leaf), content: content}
	if c.roots, c.issuers, err = parseAuthorities(content.ca); err != nil {
		return nil, fmt.Errorf("%s: %w", f.ca, err)
	}
	c.between = x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("certificate %s: %w", f.cert, err)
		}
		c.between.AddCert(one)
	}
	return c, nil
}

// parseAuthorities returns the certificates of a file of authorities, and their names.
func parseAuthorities(text []byte) (*x509.CertPool, []string, error) {
	pool, names := x509.NewCertPool(), []string(nil)
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, nil, err
		}
		pool.AddCert(one)
		names = append(names, one.Subject.CommonName)
	}
	if len(names) == 0 {
		return nil, nil, errors.New("holds no certificate")
	}
	return pool, names, nil
}

// namesOf returns the names that a node with a certificate may go by.
func namesOf(leaf *x509.Certificate) []string {
	if len(leaf.DNSNames) == 0 {
		return []string{leaf.Subject.CommonName}
	}
	return leaf.DNSNames
}

// checkOwn returns why other nodes with the same authorities would not accept the own certificate at a moment, and notes when it ends.
func (c *certificates) checkOwn(now time.Time) error {
	until, err := verifyChain(c.leaf, c.between, c.roots, now)
	if err == nil {
		c.notAfter = until
	}
	return err
}

// checkEnded is checkOwn for a certificate that may have ended, or not have begun: only its signature counts.
func (c *certificates) checkEnded(now time.Time) error {
	err := c.checkOwn(now)
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		if c.checkOwn(c.leaf.NotBefore) != nil && c.checkOwn(c.leaf.NotAfter) != nil {
			return err
		}
		return nil
	}
	return err
}

// prove returns an error unless the own certificate has a name; "" is any.
func (c *certificates) prove(name string) error {
	if name == "" || slices.Contains(c.names, name) {
		return nil
	}
	return fmt.Errorf("the certificate is that of %q, not of this node, %q", c.names, name)
}

// verifyChain verifies a certificate at a moment, and returns until when that holds: the latest end of all chains to an authority.
func verifyChain(leaf *x509.Certificate, between, roots *x509.CertPool, now time.Time) (until time.Time, err error) {
	chains, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}, CurrentTime: now,
	})
	for _, chain := range chains {
		end := chain[0].NotAfter
		for _, c := range chain[1:] {
			if c.NotAfter.Before(end) {
				end = c.NotAfter
			}
		}
		if end.After(until) {
			until = end
		}
	}
	return until, err
}

package agent

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
)

// certificates are those of the section http.tls, which are read again when a file changes. The last ones stand while that fails.
type certificates struct {
	files cluster.HTTPTLS
	log   hclog.Logger

	mu    sync.Mutex // guards all below
	stamp [3]fileStamp
	now   *tls.Config
}

func newCertificates(files cluster.HTTPTLS, log hclog.Logger) (*certificates, error) {
	c := &certificates{files: files, log: log}
	c.stamp = c.stamps()
	var err error
	c.now, err = c.load()
	return c, err
}

func (c *certificates) stamps() [3]fileStamp {
	return [3]fileStamp{stampOf(c.files.Cert), stampOf(c.files.Key), stampOf(c.files.ClientCA)}
}

// load reads the files. A client need not show a certificate: what it may ask for then is another matter.
func (c *certificates) load() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: %s: %w", c.files.Cert, err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	if c.files.ClientCA == "" {
		return out, nil
	}
	pem, err := os.ReadFile(c.files.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	out.ClientAuth, out.ClientCAs = tls.VerifyClientCertIfGiven, x509.NewCertPool()
	if !out.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls: %s holds no certificate", c.files.ClientCA)
	}
	return out, nil
}

// config returns the configuration of a server, which asks for the newest certificates at each handshake.
func (c *certificates) config() *tls.Config {
	out := c.newest().Clone()
	out.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.newest(), nil }
	return out
}

func (c *certificates) newest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stamp := c.stamps(); stamp != c.stamp {
		c.stamp = stamp
		if now, err := c.load(); err != nil {
			c.log.Error("cannot read the certificates of http.tls; the last ones stay in force", "error", err)
		} else {
			c.now = now
			c.log.Info("the certificates of http.tls have changed", "file", c.files.Cert)
		}
	}
	return c.now
}

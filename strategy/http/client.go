package http

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/goconvoke/convoke/internal/bounded"
	"github.com/goconvoke/convoke/internal/conntrack"
)

const (
	maxPEM     = 1 << 20  // bytes of a file with certificates or a key
	maxToken   = 64 << 10 // bytes of a file with a token
	maxHeader  = 64 << 10 // bytes of the headers of a response
	idle       = time.Minute
	keepOpen   = 1 // connections, because requests never overlap
	portOfHTTP = "80"
	portOfTLS  = "443"
)

// clientCache holds the client that fits the files with certificates as they are now. It belongs to one goroutine.
type clientCache struct {
	config Config
	conns  *conntrack.Tracker

	client *http.Client // nil at first
	files  [3][]byte    // that client was made of: authorities, certificate, key
}

// currentClient returns the client. It makes a new one, with new connections, when a file has changed.
func (c *clientCache) currentClient() (*http.Client, error) {
	files, err := c.readFiles()
	if err != nil {
		return nil, err
	}
	if c.client != nil && equalFiles(files, c.files) {
		return c.client, nil
	}
	security, err := c.tlsConfig(files)
	if err != nil {
		return nil, err
	}
	c.closeIdle()
	c.client, c.files = newClient(c.conns, security), files
	return c.client, nil
}

// closeIdle closes the connections that carry no request.
func (c *clientCache) closeIdle() {
	if c.client != nil {
		c.client.CloseIdleConnections()
	}
}

func (c *clientCache) readFiles() (files [3][]byte, err error) {
	for i, f := range []struct{ key, path string }{
		{"ca_file", c.config.CAFile}, {"cert_file", c.config.CertFile}, {"key_file", c.config.KeyFile},
	} {
		if f.path == "" {
			continue
		}
		if files[i], err = bounded.ReadFile(f.path, maxPEM); err != nil {
			return files, fmt.Errorf("%s: %w", f.key, err)
		}
	}
	return files, nil
}

func equalFiles(a, b [3][]byte) bool {
	return bytes.Equal(a[0], b[0]) && bytes.Equal(a[1], b[1]) && bytes.Equal(a[2], b[2])
}

// tlsConfig makes the settings of TLS. That a certificate and its key do not match may be seen for a
// moment, while they are replaced one after the other.
func (c *clientCache) tlsConfig(files [3][]byte) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.config.ServerName}
	if c.config.CAFile != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(files[0]) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM", c.config.CAFile)
		}
	}
	if c.config.CertFile != "" {
		pair, err := tls.X509KeyPair(files[1], files[2])
		if err != nil {
			return nil, fmt.Errorf("cert_file %s with key_file %s: %w", c.config.CertFile, c.config.KeyFile, err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// newClient makes a client that speaks HTTP/1.1: there a request that gets no answer ends its connection,
// where HTTP/2 would ask again and again on one that is dead. It uses no proxy, whose cache could answer
// in the place of the server.
func newClient(conns *conntrack.Tracker, security *tls.Config) *http.Client {
	var only http.Protocols
	only.SetHTTP1(true)
	return &http.Client{
		CheckRedirect: sameServer,
		Transport: &http.Transport{
			DialContext:            conns.Dial,
			TLSClientConfig:        security,
			Protocols:              &only,
			MaxIdleConns:           keepOpen,
			IdleConnTimeout:        idle,
			MaxResponseHeaderBytes: maxHeader,
		},
	}
}

// sameServer refuses a redirect to anywhere else: headers and the trust in the answer are meant for one server.
func sameServer(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if req.URL.Scheme != from.Scheme || !strings.EqualFold(hostPort(req.URL), hostPort(from)) {
		return fmt.Errorf("the server redirects to another server, %s; if that is right, set url to it", redactedURL(req.URL))
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects, the last to %s", maxRedirects, redactedURL(req.URL))
	}
	return nil
}

// hostPort returns the host with its port, also where the URL leaves that out.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "https":
		port = portOfTLS
	case port == "":
		port = portOfHTTP
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// readToken reads the token of a file as it is at this moment; tokens that expire are replaced there.
func readToken(path string) (string, error) {
	data, err := bounded.ReadFile(path, maxToken)
	if err != nil {
		return "", fmt.Errorf("token_file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	switch {
	case token == "":
		return "", fmt.Errorf("token_file: %s is empty", path)
	case !isHeaderValue(token):
		return "", fmt.Errorf("token_file: %s holds more than a token: a line break or another control character", path)
	}
	return token, nil
}

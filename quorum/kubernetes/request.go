package kubernetes

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/goconvoke/convoke/internal/bounded"
)

const (
	// serviceAccount is where the kubelet puts the files of the service account.
	serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

	maxFile   = 1 << 20 // bytes of a token, a CA bundle
	maxAnswer = 1 << 20 // bytes of an answer; a Lease has some KB
)

// do makes one request on a connection of its own: minutes lie between two of them. name is that of the object, "" for the collection. An answer other
// than success, not found and conflict is an error.
func (l *Lease) do(ctx context.Context, method, name, content string, body []byte) (status int, answer []byte, err error) {
	at, err := l.url(name)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	client, err := l.authorize(req)
	if err != nil {
		return 0, nil, err
	}
	defer client.CloseIdleConnections()
	if content != "" {
		req.Header.Set("Content-Type", content)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer func() { _ = res.Body.Close() }() // it was read
	if answer, err = bounded.ReadAll(res.Body, maxAnswer); err != nil {
		return 0, nil, fmt.Errorf("%v: the answer of the API server: %w", l, err)
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusCreated, http.StatusNotFound, http.StatusConflict:
		return res.StatusCode, answer, nil
	}
	return 0, nil, l.refusal(res.StatusCode, answer)
}

// withoutURL takes the URL out of an error of package http: it is long, and the same each time.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("the API server: %w", u.Err)
	}
	return err
}

func (l *Lease) url(name string) (string, error) {
	host := l.config.API
	if host == "" {
		h, p := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
		if h == "" || p == "" {
			return "", errors.New("this is not a pod: KUBERNETES_SERVICE_HOST is not set")
		}
		host = "https://" + net.JoinHostPort(h, p)
	}
	ns, err := l.namespace()
	if err != nil {
		return "", err
	}
	return url.JoinPath(host, "apis/coordination.k8s.io/v1/namespaces", url.PathEscape(ns), "leases", url.PathEscape(name))
}

// namespace returns that of the Lease.
func (l *Lease) namespace() (string, error) {
	if l.config.Namespace != "" {
		return l.config.Namespace, nil
	}
	data, err := bounded.ReadFile(filepath.Join(l.config.ServiceAccount, "namespace"), maxFile)
	if ns := cmp.Or(strings.TrimSpace(string(data)), os.Getenv("POD_NAMESPACE")); ns != "" {
		return ns, nil
	}
	return "", fmt.Errorf("own namespace: give one, or POD_NAMESPACE from the downward API: %w", cmp.Or(err, io.EOF))
}

// authorize adds the token to a request and returns a client that trusts the CA of the service account alone, and follows no redirect: the token
// is for the API server.
func (l *Lease) authorize(req *http.Request) (*http.Client, error) {
	token, err := bounded.ReadFile(filepath.Join(l.config.ServiceAccount, "token"), maxFile)
	if err != nil {
		return nil, fmt.Errorf("token of the service account: %w", err)
	}
	ca, err := bounded.ReadFile(filepath.Join(l.config.ServiceAccount, "ca.crt"), maxFile)
	if err != nil {
		return nil, fmt.Errorf("CA of the API server: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("CA of the API server: no certificate in ca.crt")
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "convoke")
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

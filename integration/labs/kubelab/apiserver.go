package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// apiServer is kube-apiserver with RBAC, IPv4 and IPv6, and an administrator.
type apiServer struct {
	dir, bind string
	port      int
	etcd      string   // URL
	more      []string // flags of kube-apiserver

	token  string     // of the administrator
	failed chan error // receives why it ended
}

func (s *apiServer) url() string {
	return "https://" + net.JoinHostPort(s.bind, strconv.Itoa(s.port))
}

// ca returns the file with the certificate, and its issuer, that kube-apiserver makes for itself.
func (s *apiServer) ca() string         { return filepath.Join(s.dir, "apiserver.crt") }
func (s *apiServer) kubeconfig() string { return filepath.Join(s.dir, "kubeconfig") }

// start starts the server and waits until it is ready.
func (s *apiServer) start(ctx context.Context) error {
	if err := s.credentials(); err != nil {
		return err
	}
	command := app.NewAPIServerCommand()
	command.SetArgs(append(s.flags(), s.more...))
	s.failed = make(chan error, 1)
	go func() {
		err := command.Execute()
		s.failed <- fmt.Errorf("kube-apiserver has ended: %w", errors.Join(err))
	}()
	return s.awaitReady(ctx)
}

func (s *apiServer) flags() []string {
	key := s.keyFile()
	return []string{
		"--etcd-servers=" + s.etcd,
		"--cert-dir=" + s.dir,
		"--bind-address=" + s.bind,
		"--advertise-address=" + s.bind,
		"--secure-port=" + strconv.Itoa(s.port),
		"--endpoint-reconciler-type=none", // it would refuse a loopback address
		"--authorization-mode=RBAC",
		"--token-auth-file=" + s.tokenFile(),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key,
		"--disable-admission-plugins=ServiceAccount", // no controller makes the account "default" of a namespace
		"--service-cluster-ip-range=10.96.0.0/16,fd96::/112",
		"--shutdown-delay-duration=0s",
		"--enable-priority-and-fairness=false",
		"--profiling=false",
		"-v=0",
	}
}

func (s *apiServer) keyFile() string   { return filepath.Join(s.dir, "service-accounts.key") }
func (s *apiServer) tokenFile() string { return filepath.Join(s.dir, "tokens.csv") }

// credentials makes the key that signs tokens, the token of the administrator and the kubeconfig, or takes
// those of an earlier start.
func (s *apiServer) credentials() error {
	if _, err := keep(s.keyFile(), newKey); err != nil {
		return err
	}
	token, err := keep(filepath.Join(s.dir, "admin.token"), func() ([]byte, error) { return []byte(rand.Text()), nil })
	if err != nil {
		return err
	}
	s.token = string(token)
	line := s.token + ",admin,admin,system:masters\n"
	if err := os.WriteFile(s.tokenFile(), []byte(line), 0o600); err != nil {
		return err
	}
	return os.WriteFile(s.kubeconfig(), fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: %q, certificate-authority: %q}}]
users: [{name: admin, user: {token: %q}}]
contexts: [{name: lab, context: {cluster: lab, user: admin}}]
current-context: lab
`, s.url(), s.ca(), s.token), 0o600)
}

// keep returns the content of a file, which is made if there is none.
func keep(path string, content func() ([]byte, error)) ([]byte, error) {
	data, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return data, err
	}
	if data, err = content(); err != nil {
		return nil, err
	}
	return data, os.WriteFile(path, data, 0o600)
}

func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// awaitReady waits until the server reports that it is ready.
func (s *apiServer) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("no certificate yet")
	for {
		select {
		case err := <-s.failed:
			return err
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver is not ready: %w", last)
		case <-tick.C:
		}
		if _, err := os.Stat(s.ca()); err != nil {
			continue
		}
		if last = s.ready(ctx); last == nil {
			return nil
		}
	}
}

// ready asks once. Each question has a connection of its own: one that was opened before the server serves may
// never be answered.
func (s *apiServer) ready(ctx context.Context) error {
	secure, err := rest.TLSConfigFor(s.config())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/readyz", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz: %s", res.Status)
	}
	return nil
}

// config returns how an administrator reaches the API server.
func (s *apiServer) config() *rest.Config {
	return &rest.Config{Host: s.url(), BearerToken: s.token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{CAFile: s.ca()}}
}

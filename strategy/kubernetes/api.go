package kubernetes

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/goconvoke/convoke/internal/bounded"
	"github.com/goconvoke/convoke/internal/conntrack"
	"github.com/goconvoke/convoke/internal/ratelog"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/internal/podenv"
)

const (
	userAgent   = "convoke"
	tlsTimeout  = 10 * time.Second
	pingAfter   = 30 * time.Second // a silent HTTP/2 connection is asked for a sign of life
	pingTimeout = 15 * time.Second // and closed without one: a half-open watch ends after both
	maxFile     = 1 << 20          // bytes of a token, a CA bundle, a kubeconfig, a resolv.conf
)

// api is the API server. The files that lead to it are read again at each connect, so that a CA, a
// kubeconfig or a namespace that changed is taken up; the token is read at each request.
type api struct {
	config Config
	env    strategy.Env
	conns  *conntrack.Tracker

	mu        sync.Mutex
	client    *dynamic.DynamicClient
	transport *http.Transport
	made      string // what client was made of
	account   account
	retryAt   time.Time // the server wants no request before

	logged ratelog.Limiter // each message once
}

func newAPI(c Config, env strategy.Env) *api {
	return &api{config: c, env: env, conns: conntrack.New(env.Dial)}
}

// close ends all connections. No request is made any more.
func (a *api) close() { a.conns.Close() }

// connect returns a client and the namespace of this pod, or of the context of the kubeconfig. It opens no connection.
func (a *api) connect() (*dynamic.DynamicClient, string, error) {
	find := a.inCluster
	if a.config.Kubeconfig != "" {
		find = a.fromKubeconfig
	}
	cfg, namespace, made, err := find()
	if err != nil {
		return nil, "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil && a.made == made {
		return a.client, namespace, nil
	}
	client, transport, err := a.newClient(cfg)
	if err != nil {
		return nil, "", err
	}
	if a.transport != nil {
		a.transport.CloseIdleConnections()
	}
	if a.client == nil && cfg.TLSClientConfig.Insecure {
		a.env.Log.Warn("the API server is not verified: any server that answers gets the token", "addr", cfg.Host)
	}
	a.client, a.transport, a.made = client, transport, made
	a.account = accountOf(cfg, namespace)
	return client, namespace, nil
}

// inCluster finds the API server as a pod does: by the environment and the files of the service
// account. made differs for each outcome.
func (a *api) inCluster() (cfg *rest.Config, namespace, made string, err error) {
	host := a.config.API
	if host == "" {
		h, p := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
		if h == "" || p == "" {
			return nil, "", "", errors.New("this is not a pod: KUBERNETES_SERVICE_HOST is not set; set kubeconfig, or api")
		}
		host = "https://" + net.JoinHostPort(h, p)
	}
	dir := a.config.ServiceAccount
	cfg = &rest.Config{Host: host, BearerTokenFile: filepath.Join(dir, "token")}
	if a.config.Insecure {
		cfg.TLSClientConfig.Insecure = true
	} else if cfg.TLSClientConfig.CAData, err = bounded.ReadFile(filepath.Join(dir, "ca.crt"), maxFile); err != nil {
		return nil, "", "", fmt.Errorf("CA of the API server: %w", err)
	}
	if len(a.config.Namespaces) == 0 {
		if namespace, err = podenv.Namespace(dir); err != nil {
			return nil, "", "", fmt.Errorf("own namespace: set namespaces, or POD_NAMESPACE from the downward API: %w", err)
		}
	}
	return cfg, namespace, host + "\n" + string(cfg.TLSClientConfig.CAData), nil
}

func (a *api) fromKubeconfig() (cfg *rest.Config, namespace, made string, err error) {
	path := a.config.Kubeconfig
	data, err := bounded.ReadFile(path, maxFile)
	if err != nil {
		return nil, "", "", fmt.Errorf("kubeconfig: %w", err)
	}
	file, err := clientcmd.LoadFromFile(path)
	if err == nil {
		err = clientcmd.ResolveLocalPaths(file)
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	found := clientcmd.NewNonInteractiveClientConfig(*file, a.config.Context, &clientcmd.ConfigOverrides{}, nil)
	if cfg, err = found.ClientConfig(); err == nil {
		namespace, _, err = found.Namespace()
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("kubeconfig %s: %w", path, err)
	}
	if ca := cfg.TLSClientConfig.CAFile; ca != "" {
		if cfg.TLSClientConfig.CAData, err = bounded.ReadFile(ca, maxFile); err != nil {
			return nil, "", "", fmt.Errorf("CA of the API server: %w", err)
		}
		cfg.TLSClientConfig.CAFile = ""
	}
	if a.config.Insecure {
		cfg.TLSClientConfig.Insecure, cfg.TLSClientConfig.CAData = true, nil
	}
	return cfg, namespace, string(data) + "\n" + string(cfg.TLSClientConfig.CAData), nil
}

// newClient makes a client with a transport of its own: those of client-go are shared by the process
// and outlive a Run.
func (a *api) newClient(cfg *rest.Config) (*dynamic.DynamicClient, *http.Transport, error) {
	secure, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("TLS to the API server: %w", err)
	}
	if secure == nil {
		secure = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         a.conns.Dial,
		TLSClientConfig:     secure,
		TLSHandshakeTimeout: tlsTimeout,
		ForceAttemptHTTP2:   true,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		IdleConnTimeout:     90 * time.Second,
	}
	if cfg.Proxy != nil {
		transport.Proxy = cfg.Proxy
	}
	cfg = rest.CopyConfig(cfg)
	var rt http.RoundTripper = &failFastTransport{base: transport, api: a}
	if cfg.BearerTokenFile != "" {
		rt = &tokenTransport{base: rt, path: cfg.BearerTokenFile}
		cfg.BearerToken, cfg.BearerTokenFile = "", ""
	}
	cfg.UserAgent = userAgent
	cfg.QPS = -1 // every request waits for its turn here already: a backoff, an interval
	cfg.WarningHandlerWithContext = a
	if rt, err = rest.HTTPWrappersForConfig(cfg, rt); err != nil {
		return nil, nil, fmt.Errorf("credentials for the API server: %w", err)
	}
	client, err := dynamic.NewForConfigAndClient(cfg, &http.Client{Transport: rt})
	if err != nil {
		return nil, nil, fmt.Errorf("client of the API server: %w", err)
	}
	return client, transport, nil
}

// HandleWarningHeaderWithContext logs a warning of the API server, each text once.
func (a *api) HandleWarningHeaderWithContext(_ context.Context, code int, _, text string) {
	if code == 299 && text != "" && a.logged.Allow("warning "+text[:min(len(text), maxWarning)], time.Now()) {
		a.env.Log.Warn("warning of the API server", "text", text)
	}
}

// maxWarning bounds what is remembered of the text of a warning, which comes from the server, in bytes.
const maxWarning = 200

// retryDelay returns for how long the server asks for a pause.
func (a *api) retryDelay() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Until(a.retryAt)
}

// withoutURL takes the URL out of an error of package http: it is long, and the same each time.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Package http finds the peers that a web server names, in the form of Prometheus' HTTP service discovery.
package http

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/goconvoke/convoke/internal/bounded"
	"github.com/goconvoke/convoke/internal/conntrack"
	"github.com/goconvoke/convoke/internal/safetext"
	"github.com/goconvoke/convoke/internal/targets"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

const (
	maxBody      = 4 << 20 // bytes of an answer, unpacked
	maxQuote     = 256     // bytes of a refusal that an error quotes
	maxETag      = 1 << 10 // bytes; a longer one is not remembered
	maxRedirects = 5
)

// Kind registers the strategy as "http".
var Kind = strategy.Kind[Config]{
	Name:    "http",
	Doc:     "a web server that answers with JSON, as Prometheus' HTTP service discovery does",
	Default: DefaultConfig(),
	New:     newStrategy,
}

// newStrategy makes the strategy. It asks every interval; a server that gives an ETag is sent it with the next request,
// and need not repeat it.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	target, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if target.Scheme == "http" && (c.Token != "" || c.TokenFile != "") && !isLoopback(target.Hostname()) {
		env.Log.Warn("the token is sent without encryption", "addr", target.Host)
	}
	return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
		conns := conntrack.New(env.Dial)
		defer conns.Close()
		a := &fetcher{config: c, place: redactedURL(target), clients: clientCache{config: c, conns: conns}}
		defer a.clients.closeIdle()
		return strategy.Poll(c.Filter(a.lookup, env), c.PollConfig, env).Run(ctx, out)
	}), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// redactedURL returns a URL as errors show it, without its query, which may hold a secret.
func redactedURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// fetcher remembers the last good answer. It belongs to the lookups of one Run, which never overlap.
type fetcher struct {
	config  Config
	place   string
	clients clientCache

	etag  string // of peers; "" when the server gave none
	peers []peer.Peer
}

func (a *fetcher) lookup(ctx context.Context) ([]peer.Peer, error) {
	peers, err := a.sendRequest(ctx)
	if err != nil {
		return peers, fmt.Errorf("ask %s: %w", a.place, err)
	}
	return peers, nil
}

func (a *fetcher) sendRequest(ctx context.Context) ([]peer.Peer, error) {
	client, err := a.clients.currentClient()
	if err != nil {
		return nil, err
	}
	req, err := a.newRequest(ctx)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, unwrapURLError(err)
	}
	defer func() { _ = res.Body.Close() }() // all that matters was read
	switch {
	case res.StatusCode == http.StatusNotModified && a.etag != "":
		return a.peers, nil
	case res.StatusCode != http.StatusOK:
		return nil, newStatusError(res)
	}
	return a.readAnswer(res)
}

// unwrapURLError strips what net/http puts around an error: the URL with its query.
func unwrapURLError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// newRequest makes the question.
func (a *fetcher) newRequest(ctx context.Context) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.config.URL, nil)
	if err != nil {
		return nil, unwrapURLError(err)
	}
	for name, value := range a.config.Headers {
		req.Header.Set(name, string(value))
		if strings.EqualFold(name, "Host") {
			req.Host = string(value)
		}
	}
	token := string(a.config.Token)
	if a.config.TokenFile != "" {
		if token, err = readToken(a.config.TokenFile); err != nil {
			return nil, err
		}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "convoke")
	if a.etag != "" {
		req.Header.Set("If-None-Match", a.etag)
	}
	return req, nil
}

// readAnswer reads the body of a good response. Only a faultless answer is remembered.
func (a *fetcher) readAnswer(res *http.Response) ([]peer.Peer, error) {
	a.etag, a.peers = "", nil
	data, err := bounded.ReadAll(res.Body, maxBody)
	if large := (*bounded.TooLargeError)(nil); errors.As(err, &large) {
		return nil, fmt.Errorf("the answer is %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	peers, err := targets.JSON(data, targets.Options{
		IDLabel: a.config.IDLabel, ZoneLabel: a.config.ZoneLabel, VersionLabel: a.config.VersionLabel,
	})
	if err != nil {
		if len(peers) == 0 && !isJSON(res.Header) {
			return nil, fmt.Errorf("the answer is %s and no list of targets: %w", typeOf(res.Header), err)
		}
		return peers, err
	}
	if etag := res.Header.Get("ETag"); len(etag) <= maxETag {
		a.etag, a.peers = etag, peers
	}
	return peers, nil
}

// isJSON reports whether the server calls its answer JSON. One that does not is read all the same: many
// serve a file as text, or as nothing at all.
func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

func typeOf(h http.Header) string {
	if kind := h.Get("Content-Type"); kind != "" {
		return safetext.Quote(kind, maxQuote)
	}
	return "without a content type"
}

// newStatusError returns the error for a status that is not an answer, with the beginning of its body.
func newStatusError(res *http.Response) error {
	status := fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode))
	hint := ""
	switch res.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = "; check token_file, token, headers or cert_file"
	case http.StatusNotFound:
		hint = "; check the path of url"
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxQuote+1))
	if text := strings.TrimSpace(string(data)); err == nil && text != "" {
		return fmt.Errorf("the server answers %s%s: %s", status, hint, safetext.Quote(text, maxQuote))
	}
	return fmt.Errorf("the server answers %s%s", status, hint)
}

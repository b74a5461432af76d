package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"

	"github.com/goconvoke/convoke/ops"
)

// ErrNoAgent means that no agent listens on the socket.
var ErrNoAgent = errors.New("no agent listens there")

// ErrNotAllowed means that the socket belongs to another user.
var ErrNotAllowed = errors.New("the agent runs as another user")

// ErrUntrusted means that another user listens on the socket, who could read the request and forge the answer. Nothing was sent.
var ErrUntrusted = errors.New("another user listens on the admin socket")

// maxAnswer bounds an answer that is one document, in bytes.
const maxAnswer = 256 << 20

// Client asks the agent behind one socket.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a client of the agent behind a socket. Each request opens a connection of its own, and closes it.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, path) },
	}
	return c
}

// Transport returns what sends a request to the agent, whatever its host: for a proxy.
func (c *Client) Transport() http.RoundTripper { return c.http.Transport }

// Do sends a request with a body in JSON, unless that is nil, and decodes the answer into v, unless that is nil. What went wrong at the
// agent is an *[ops.Problem] with its words.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, v any) error {
	res, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return endError(ctx, err)
	case v == nil || len(b) == 0:
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("the agent's answer: %w", err)
	}
	return nil
}

// send sends a request and returns the answer, if it is not an error.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		b, err := ops.Encode(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path+"?"+query.Encode(), content)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, endError(ctx, err)
	}
	if res.StatusCode < http.StatusBadRequest {
		return res, nil
	}
	defer res.Body.Close()
	return nil, readProblem(res)
}

// readProblem returns the error that an answer is.
func readProblem(res *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	p := new(ops.Problem)
	if json.Unmarshal(b, p) != nil || p.Detail == "" {
		return fmt.Errorf("the agent answers %s: %.200q", res.Status, b)
	}
	return p
}

// endError returns why there is no answer, or no end of it.
func endError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrNoAgent), errors.Is(err, ErrNotAllowed), errors.Is(err, ErrUntrusted):
		return err
	}
	return fmt.Errorf("the agent closed the connection: %w", err)
}

// dialSocket connects to the agent behind a socket, if it is one of a user who may be trusted.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	c, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || isRefused(err):
		return nil, fmt.Errorf("%s: %w", path, ErrNoAgent)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: %w", path, ErrNotAllowed)
	case err != nil:
		return nil, err
	}
	if err := checkOwner(c.(*net.UnixConn), path); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// checkUsers returns an error unless the user that listens on a socket is that of this process, or root. For root it may also be the
// owner of a data directory, which the configuration names; the directories that are named for a user are that user's alone.
func checkUsers(path string, listens, self, dir int) error {
	named := filepath.Base(filepath.Dir(path)) == ownDir()
	if listens == self || listens == 0 || self == 0 && listens == dir && !named {
		return nil
	}
	return fmt.Errorf("%s: %w: user %d, this is user %d", path, ErrUntrusted, listens, self)
}

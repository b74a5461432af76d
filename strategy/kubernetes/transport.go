package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/goconvoke/convoke/internal/bounded"
)

const (
	maxBody    = 256 << 20       // bytes of a list; a pod has some 10 KB
	maxRefusal = 64 << 10        // bytes of any other answer, which is quoted
	maxPause   = 5 * time.Minute // the longest Retry-After that is obeyed
)

// tokenTransport adds the token that stands in a file at that moment: the kubelet replaces it every hour or so,
// and reading a small file costs nothing beside a request. What client-go has for this keeps the
// token for a minute, and writes to standard error when the file is gone.
type tokenTransport struct {
	base http.RoundTripper
	path string
}

// RoundTrip sends a request with the token.
func (b *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := bounded.ReadFile(b.path, maxFile)
	if err == nil && len(strings.TrimSpace(string(token))) == 0 {
		err = errors.New("the file is empty")
	}
	if err != nil {
		err = fmt.Errorf("token of the service account: %w", err)
		abortRound(req.Context(), err)
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return b.base.RoundTrip(req)
}

// failFastTransport sees each request. client-go would repeat a failed one ten times before it reports anything;
// here a failure ends the round at once, and the backoff between rounds decides on the next.
type failFastTransport struct {
	base http.RoundTripper
	api  *api
}

// RoundTrip sends a request and notes when the server asks for a pause.
func (o *failFastTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := o.base.RoundTrip(req)
	if err != nil {
		abortRound(req.Context(), err)
		return nil, err
	}
	if after := res.Header.Get("Retry-After"); after != "" {
		res.Header.Del("Retry-After")
		if s, err := strconv.Atoi(after); err == nil && s > 0 {
			o.api.setRetryAfter(time.Duration(min(s, int(maxPause/time.Second))) * time.Second)
		}
	}
	switch {
	case res.StatusCode != http.StatusOK:
		res.Body = limitBody(res.Body, maxRefusal)
	case !req.URL.Query().Has("watch"): // client-go bounds each event of a watch
		res.Body = limitBody(res.Body, maxBody)
	}
	return res, nil
}

// setRetryAfter remembers not to ask the server for a while.
func (a *api) setRetryAfter(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := time.Now().Add(d); at.After(a.retryAt) {
		a.retryAt = at
	}
}

// limitedBody is a body that must not be larger than some bytes.
type limitedBody struct {
	io.ReadCloser
	max, left int
}

func limitBody(body io.ReadCloser, n int) io.ReadCloser { return &limitedBody{body, n, n} }

// Read reads as long as the limit is not passed.
func (l *limitedBody) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return n, fmt.Errorf("the answer is larger than %d bytes", l.max)
	}
	return n, err
}

type abortKey struct{}

// withAbort returns a context that abortRound ends with a cause.
func withAbort(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	return context.WithValue(ctx, abortKey{}, cancel), cancel
}

// abortRound ends the round that a request belongs to, unless it is ending already.
func abortRound(ctx context.Context, cause error) {
	if cancel, ok := ctx.Value(abortKey{}).(context.CancelCauseFunc); ok && ctx.Err() == nil {
		cancel(cause)
	}
}

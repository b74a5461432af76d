package rancher

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/goconvoke/convoke/internal/bounded"
	"github.com/goconvoke/convoke/internal/safetext"
	"github.com/goconvoke/convoke/strategy"
)

const (
	maxBody   = 8 << 20  // bytes of an answer
	maxHeader = 64 << 10 // bytes of its headers
	framing   = 64 << 10 // bytes between the chunks of a body
)

// client asks the metadata server. Every question has a connection of its own, which ends with it: the
// server is on the same host, and nothing is left when a Run ends.
type client struct {
	dial strategy.DialFunc
	base string // URL without a slash at the end
}

// statusError is an answer with a status other than 200.
type statusError struct {
	code     int
	location string // of a redirect
	message  string
}

// Error returns the status with the message of the server.
func (e *statusError) Error() string {
	text := fmt.Sprintf("the server answers %d %s", e.code, http.StatusText(e.code))
	if e.location != "" {
		return text + ", a redirect to " + safetext.Quote(e.location, maxQuote) + ", which is not followed; set url to the metadata server itself"
	}
	if e.message != "" {
		text += ": " + safetext.Quote(e.message, maxQuote)
	}
	return text
}

// getAnswer returns the answer to a question, within the deadline of ctx. A refusal is a *statusError.
func (c client) getAnswer(ctx context.Context, path string) ([]byte, error) {
	target := c.base + "/" + path
	body, err := c.sendQuestion(ctx, target)
	switch {
	case err == nil:
		return body, nil
	case ctx.Err() != nil: // the errors of a connection that was taken away have no meaning
		err = fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
	return nil, fmt.Errorf("ask %s: %w", target, err)
}

func (c client) sendQuestion(ctx context.Context, target string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json") // else it answers with a list of names
	req.Header.Set("User-Agent", "convoke")
	req.Close = true
	host, port := req.URL.Hostname(), req.URL.Port()
	if port == "" {
		port = "80"
	}
	conn, err := c.dial(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	end := closeWith(ctx, conn)
	defer end()
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	return readAnswer(conn, req)
}

// closeWith closes a connection when ctx ends, or when the function returned is called, which waits for it.
func closeWith(ctx context.Context, conn net.Conn) (end func()) {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		_ = conn.Close() // its reader sees the end
	})
	return func() {
		if stop() {
			_ = conn.Close() // all that matters was read
			return
		}
		<-closed
	}
}

// readAnswer reads the answer, whole or cut into chunks.
func readAnswer(conn io.Reader, req *http.Request) ([]byte, error) {
	limited := &io.LimitedReader{R: conn, N: maxHeader}
	res, err := http.ReadResponse(bufio.NewReader(limited), req)
	if err != nil {
		if limited.N <= 0 {
			return nil, fmt.Errorf("the headers of the answer are larger than %d bytes", maxHeader)
		}
		return nil, fmt.Errorf("read the answer: %w", safetext.Error(cutShort(err), maxQuote))
	}
	limited.N += maxBody + framing
	body, err := bounded.ReadAll(res.Body, maxBody)
	large := (*bounded.TooLargeError)(nil)
	switch {
	case res.StatusCode != http.StatusOK:
		return nil, newStatusError(res, body)
	case limited.N <= 0 || errors.As(err, &large):
		return nil, fmt.Errorf("the answer is larger than %d bytes", maxBody)
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", cutShort(err))
	case strings.TrimSpace(string(body)) == "":
		return nil, errors.New("the answer is empty")
	}
	return body, nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is cut short")
	}
	return err
}

// newStatusError returns the error for another status than 200.
func newStatusError(res *http.Response, body []byte) error {
	e := &statusError{code: res.StatusCode, message: strings.TrimSpace(string(body))}
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		e.location = res.Header.Get("Location")
	}
	var refusal struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &refusal) == nil && refusal.Message != "" {
		e.message = refusal.Message
	}
	return e
}

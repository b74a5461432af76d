package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/goconvoke/convoke/gossip"
)

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"` // a sentence
}

// Error returns the sentence.
func (p *Problem) Error() string { return p.Detail }

// statusError is an error with the HTTP status that stands for it.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// WithStatus returns an error that the API answers with a status of HTTP. nil stays nil.
func WithStatus(status int, err error) error {
	if err == nil {
		return nil
	}
	return &statusError{status, err}
}

func problemf(status int, format string, args ...any) error {
	return &statusError{status, fmt.Errorf(format, args...)}
}

// statusOf returns the status that an error is answered with.
func statusOf(err error) int {
	var s *statusError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &s):
		return s.status
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, gossip.ErrStopped), errors.Is(err, gossip.ErrConflict), errors.Is(err, gossip.ErrRemoved):
		return http.StatusServiceUnavailable
	case errors.Is(err, gossip.ErrNotDurable):
		return http.StatusInsufficientStorage
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

func problemOf(err error) *Problem {
	status := statusOf(err)
	return &Problem{cmp.Or(http.StatusText(status), "Error"), status, err.Error()}
}

// WriteProblem answers a request with an error: see [WithStatus].
func WriteProblem(w http.ResponseWriter, err error) {
	p := problemOf(err)
	writeDocument(w, p.Status, "application/problem+json", p)
}

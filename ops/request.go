package ops

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	maxBody        = 2 << 20         // bytes; two values of 256 KiB take half of it when every byte is escaped
	bodyLimit      = 5 * time.Second // for a body to arrive
	defaultTimeout = 10 * time.Second
	maxTimeout     = 10 * time.Minute
)

// request is a request of which the body has been read.
type request struct {
	*http.Request
	access Access
	query  url.Values
	body   []byte
}

// readRequest reads the body, within its limits. From then on the end of the connection ends the context of the request.
func readRequest(w http.ResponseWriter, r *http.Request, access Access) (*request, error) {
	q := &request{Request: r, access: access, query: r.URL.Query()}
	if r.Method == http.MethodGet || r.Body == nil {
		return q, nil
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyLimit)) // a recorder of a test has none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, problemf(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", maxBody)
	case err != nil:
		return nil, problemf(http.StatusBadRequest, "the body: %w", err)
	}
	_ = control.SetReadDeadline(time.Time{})
	q.body = body
	return q, nil
}

// decode reads the body as JSON; an empty one leaves v as it is.
func (r *request) decode(v any) error {
	if len(r.body) == 0 {
		return nil
	}
	if kind := r.Header.Get("Content-Type"); kind != "" && kind != "application/json" {
		return problemf(http.StatusUnsupportedMediaType, "the body is %q, want application/json", kind)
	}
	if err := json.Unmarshal(r.body, v); err != nil {
		return problemf(http.StatusBadRequest, "the body is not the JSON that is wanted: %w", err)
	}
	return nil
}

// timeout returns how long the answer may take: the parameter timeout, in seconds.
func (r *request) timeout() (time.Duration, error) {
	text := r.query.Get("timeout")
	if text == "" {
		return defaultTimeout, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0 && seconds <= maxTimeout.Seconds()) {
		return 0, problemf(http.StatusBadRequest, "timeout %q: want seconds, above 0 and at most %v", text, maxTimeout.Seconds())
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// number returns a parameter that is a number from 0 to most, other if it is not given.
func (r *request) number(name string, other, most int) (int, error) {
	text := r.query.Get(name)
	if text == "" {
		return other, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || int(n) > most {
		return 0, problemf(http.StatusBadRequest, "%s %q: want a number from 0 to %d", name, text, most)
	}
	return int(n), nil
}

// flag reports whether a parameter is given, but not as "false" or "0".
func (r *request) flag(name string) bool { return isSet(r.query, name) }

func isSet(query url.Values, name string) bool {
	return query.Has(name) && query.Get(name) != "false" && query.Get(name) != "0"
}

// key returns the key of the path, any bytes.
func (r *request) key() (string, error) {
	if key := r.PathValue("key"); key != "" {
		return key, nil
	}
	return "", problemf(http.StatusBadRequest, "the path has no key")
}

// refusal returns an error of a write: the node refuses it with a reason, unless the error has a status.
func refusal(err error) error {
	if err != nil && statusOf(err) == http.StatusInternalServerError {
		return WithStatus(http.StatusUnprocessableEntity, err)
	}
	return err
}

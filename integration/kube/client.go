package kube

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// requestTimeout bounds each request; a server that starts or is busy answers late.
const requestTimeout = 30 * time.Second

// The types of content of requests.
const (
	jsonType  = "application/json"
	mergeType = "application/merge-patch+json"
	applyType = "application/apply-patch+yaml"
)

// Client speaks with an API server.
type Client struct {
	base, token string
	http        *http.Client
}

func newClient(r Ready, dial Dial) (*Client, error) {
	ca, err := os.ReadFile(r.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("no certificate in %s", r.CA)
	}
	return &Client{base: r.URL, token: r.Token, http: &http.Client{
		Timeout:   requestTimeout,
		Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
	}}, nil
}

// StatusError is a refusal of the API server.
type StatusError struct {
	Code    int // of HTTP
	Message string
}

// Error returns both.
func (e *StatusError) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// Object is any object of the API.
type Object = map[string]any

// do makes a request. body is marshalled, unless it is text or nil; the answer is unmarshalled to out, unless that is nil. A
// refusal is a [StatusError].
func (c *Client) do(method, path, contentType string, body, out any) error {
	_, err := c.exchange(method, path, contentType, body, out)
	return err
}

// apply applies an object as kubectl apply --server-side does; a warning is an error.
func (c *Client) apply(path, object string) error {
	warnings, err := c.exchange(http.MethodPatch, path, applyType, object, nil)
	if err == nil && len(warnings) > 0 {
		err = fmt.Errorf("apply %s: the API server warns: %q", path, warnings)
	}
	return err
}

// exchange is do that returns the warnings in the answer too.
func (c *Client) exchange(method, path, contentType string, body, out any) ([]string, error) {
	var data []byte
	var err error
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	default:
		data, err = json.Marshal(b)
	}
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, c.base+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", jsonType)
	req.Header.Set("Content-Type", contentType)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if data, err = io.ReadAll(res.Body); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= http.StatusMultipleChoices {
		var status struct{ Message string }
		_ = json.Unmarshal(data, &status) // what is no Status has no message
		return nil, fmt.Errorf("%s %s: %w", method, path, &StatusError{res.StatusCode, status.Message})
	}
	warnings := res.Header.Values("Warning")
	if out == nil {
		return warnings, nil
	}
	return warnings, json.Unmarshal(data, out)
}

// Create makes an object; path is that of its collection.
func (c *Client) Create(path string, object any) error {
	return c.do(http.MethodPost, path, jsonType, object, nil)
}

// Read reads an object, or a collection.
func (c *Client) Read(path string, out any) error {
	return c.do(http.MethodGet, path, jsonType, nil, out)
}

// Merge changes an object by a JSON merge patch.
func (c *Client) Merge(path string, patch any) error {
	return c.do(http.MethodPatch, path, mergeType, patch, nil)
}

// Delete deletes an object after a grace period; 0 removes it at once.
func (c *Client) Delete(path string, grace time.Duration) error {
	return c.do(http.MethodDelete, path, jsonType, Object{"gracePeriodSeconds": int(grace / time.Second)}, nil)
}

// WatchFrom opens a watch of a collection at a version and returns the code of the first answer: of HTTP, or of
// an error event.
func (c *Client) WatchFrom(path, version string) (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?watch=1&timeoutSeconds=2&resourceVersion="+version, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var event struct {
		Type   string
		Object struct{ Code int }
	}
	if err := json.NewDecoder(res.Body).Decode(&event); err != nil && !errors.Is(err, io.EOF) {
		return res.StatusCode, err
	}
	if event.Type == "ERROR" {
		return event.Object.Code, nil
	}
	return res.StatusCode, nil
}

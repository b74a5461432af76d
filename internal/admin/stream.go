package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/goconvoke/convoke/ops"
)

// maxEvent bounds one line of a stream, in bytes.
const maxEvent = 16 << 20

// Stream sends a request and reports each server-sent event of the answer, until that ends or ctx is done. An error of report ends it, as
// does the error that the agent sends last. A stream that ends without one returns nil.
func (c *Client) Stream(ctx context.Context, method, path string, query url.Values, report func(event string, data json.RawMessage) error) error {
	res, err := c.send(ctx, method, path, query, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxEvent)
	var event string
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(name) {
		case "event":
			event = string(value)
		case "data":
			if err := takeEvent(event, value, report); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return endError(ctx, err)
	}
	return context.Cause(ctx)
}

func takeEvent(event string, data []byte, report func(string, json.RawMessage) error) error {
	if event != ops.EventError {
		return report(event, bytes.Clone(data))
	}
	p := new(ops.Problem)
	if err := json.Unmarshal(data, p); err != nil {
		return errors.Join(errors.New("the agent ended the stream with an error"), err)
	}
	return p
}

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/admin"
)

const (
	// maxMargin bounds how much earlier than the command the agent gives up, so that its reason arrives in time: a tenth of the timeout.
	maxMargin = 250 * time.Millisecond
	// maxTimeout is how long an agent may take for an answer.
	maxTimeout = 10 * time.Minute
)

// agentClient is how a command finds the agent, and how it prints.
type agentClient struct {
	config, node, socket string
	timeout              time.Duration
	as                   format
}

// clientFlags adds the flags of the commands that ask a running agent.
func clientFlags(c *cobra.Command, r *agentClient) {
	configFlag(c, &r.config)
	formatFlag(c, &r.as)
	c.Flags().StringVar(&r.node, "node", "", "`name` of the node, if several run here or the agent was started with --node")
	c.Flags().StringVar(&r.socket, "socket", "", "`path` of the agent's admin socket, instead of -c; default $CONVOKE_SOCKET")
	c.Flags().DurationVar(&r.timeout, "timeout", 10*time.Second, "give up after this time")
}

// call is one request to the agent.
type call struct {
	method, path string
	query        url.Values
	body         any
}

// get returns a call that reads; query has names and values in turn.
func get(path string, query ...string) call { return callOf(http.MethodGet, path, nil, query...) }

func post(path string, body any) call { return callOf(http.MethodPost, path, body) }

func callOf(method, path string, body any, query ...string) call {
	q := call{method: method, path: apiRoot + path, query: url.Values{}, body: body}
	for i := 0; i+1 < len(query); i += 2 {
		q.query.Set(query[i], query[i+1])
	}
	return q
}

const apiRoot = "/api/v1/"

// part makes text of any bytes one part of a path.
func part(s string) string {
	escaped := url.PathEscape(s)
	if s == "." || s == ".." { // which a server would resolve
		escaped = "%2E" + escaped[1:]
	}
	return escaped
}

// ask asks the agent, for at most the timeout, and decodes the answer into v, unless that is nil.
func (r *agentClient) ask(ctx context.Context, q call, v any) error {
	if r.timeout <= 0 {
		return fmt.Errorf("--timeout %v is not above 0", r.timeout)
	}
	if strings.HasSuffix(q.path, "/") { // of all that commands ask for only a key, or a name, can be empty
		return errors.New("the key is empty, or the name of the member or the group")
	}
	if r.timeout > maxTimeout {
		return fmt.Errorf("--timeout %v is above %v", r.timeout, maxTimeout)
	}
	answer := r.timeout - min(r.timeout/10, maxMargin)
	q.query.Set("timeout", strconv.FormatFloat(answer.Seconds(), 'f', -1, 64))
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, fmt.Errorf("the agent did not answer within %v", r.timeout))
	defer cancel()
	return r.onAgent(func(c *admin.Client) error { return c.Do(ctx, q.method, q.path, r.withNode(q), q.body, v) })
}

// follow asks the agent and reports each event of the answer until the command is interrupted, which is no error.
func (r *agentClient) follow(ctx context.Context, q call, report func(event string, data json.RawMessage) error) error {
	err := r.stream(ctx, q, report)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = errors.New("the agent has ended")
	}
	return failedError(err)
}

// stream asks the agent and reports each event of the answer, until that ends or ctx is done.
func (r *agentClient) stream(ctx context.Context, q call, report func(event string, data json.RawMessage) error) error {
	return r.onAgent(func(c *admin.Client) error { return c.Stream(ctx, q.method, q.path, r.withNode(q), report) })
}

// withNode has the agent refuse a request that means another node.
func (r *agentClient) withNode(q call) url.Values {
	if r.node != "" {
		q.query.Set("node", r.node)
	}
	return q.query
}

// onAgent calls do with a client of the agent.
func (r *agentClient) onAgent(do func(*admin.Client) error) error {
	path, err := r.findSocket()
	if err != nil {
		return err
	}
	err = do(admin.NewClient(path))
	switch {
	case errors.Is(err, admin.ErrNoAgent) && r.config != "" && r.socket == "":
		err = r.errNotRunning(path)
	case errors.Is(err, admin.ErrNotAllowed):
		err = fmt.Errorf("%w: run this command as that user", err)
	}
	return failedError(err)
}

// ask asks for a T.
func ask[T any](ctx context.Context, r *agentClient, q call) (v T, err error) {
	err = r.ask(ctx, q, &v)
	return v, err
}

// reportEach makes each event a T. Others than those named are ignored.
func reportEach[T any](name string, each func(T) error) func(string, json.RawMessage) error {
	return func(event string, data json.RawMessage) error {
		if event != name {
			return nil
		}
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("the agent's answer: %w", err)
		}
		return each(v)
	}
}

// change asks for something that is answered by nothing but an error, and prints that it was done.
func (r *agentClient) change(c *cobra.Command, q call, done string) error {
	if err := r.ask(c.Context(), q, nil); err != nil {
		return err
	}
	return printDone(c, r.as, done)
}

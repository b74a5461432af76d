package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/admin"
)

// grace is how much longer a command waits than it asked the agent to take, so that it hears what was missing.
const grace = 2 * time.Second

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
	c.Flags().StringVar(&r.node, "node", "", "`name` of the node, if the agent was started with --node")
	c.Flags().StringVar(&r.socket, "socket", "", "`path` of the agent's admin socket, instead of -c")
	c.Flags().DurationVar(&r.timeout, "timeout", 10*time.Second, "give up after this time")
}

// socketPaths returns where the socket can be.
func (r *agentClient) socketPaths() ([]string, error) {
	if r.socket != "" {
		return []string{r.socket}, nil
	}
	if r.config == "" {
		return nil, errors.New("no agent: add -c FILE, the file it was started with, or --socket PATH")
	}
	node, err := nodeOf(r.config)
	if err != nil {
		return nil, failedError(err)
	}
	return admin.Paths(node.DataDir, node.Cluster, cmp.Or(r.node, node.Name)), nil
}

// askAgent asks the agent, for at most the timeout, and hands on each reply.
func (r *agentClient) askAgent(ctx context.Context, q admin.Request, each func(json.RawMessage) error) error {
	if r.timeout <= 0 {
		return fmt.Errorf("--timeout %v is not above 0", r.timeout)
	}
	q.Timeout = r.timeout
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout+grace, fmt.Errorf("the agent did not answer within %v", r.timeout))
	defer cancel()
	return r.callAgent(ctx, q, each)
}

// watchAgent asks the agent and hands on replies until the command is interrupted, which is no error.
func (r *agentClient) watchAgent(ctx context.Context, q admin.Request, each func(json.RawMessage) error) error {
	err := r.callAgent(ctx, q, each)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = failedError(errors.New("the agent has ended"))
	}
	return err
}

func (r *agentClient) callAgent(ctx context.Context, q admin.Request, each func(json.RawMessage) error) error {
	paths, err := r.socketPaths()
	if err != nil {
		return err
	}
	q.Node = r.node
	for _, path := range paths {
		if err = admin.Call(ctx, path, q, each); !errors.Is(err, admin.ErrNoAgent) {
			break
		}
	}
	switch {
	case errors.Is(err, admin.ErrNoAgent) && r.socket == "":
		err = fmt.Errorf("no agent runs for %s: start one with convoke agent -c %s (looked for %s)", r.config, r.config, strings.Join(paths, " and "))
	case errors.Is(err, admin.ErrNotAllowed):
		err = fmt.Errorf("%w: run this command as that user", err)
	}
	return failedError(err)
}

// decodeEach makes each reply a T.
func decodeEach[T any](each func(T) error) func(json.RawMessage) error {
	return func(data json.RawMessage) error {
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("the agent's answer: %w", err)
		}
		return each(v)
	}
}

// collectReplies collects the replies to a question.
func collectReplies[T any](ctx context.Context, r *agentClient, q admin.Request) ([]T, error) {
	list := []T{} // [] in JSON
	err := r.askAgent(ctx, q, decodeEach(func(v T) error { list = append(list, v); return nil }))
	return list, err
}

// printAll asks for a list and prints it as a table.
func printAll[T any](c *cobra.Command, r *agentClient, q admin.Request, head string, row func(T) []string) error {
	list, err := collectReplies[T](c.Context(), r, q)
	if err != nil {
		return err
	}
	if r.as == asJSON {
		return failedError(printJSON(c.OutOrStdout(), list))
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, v := range list {
		cells := row(v)
		for i := range cells {
			cells[i] = orNothing(displayText(cells[i]))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return failedError(t.Flush())
}

// shownBytes is how much of a value a table shows.
const shownBytes = 80

// displayText makes text of others fit for a line of a terminal: what is not printable is quoted, what is long is cut.
func displayText(s string) string {
	rest := ""
	if len(s) > shownBytes {
		cut := shownBytes
		for !utf8.RuneStart(s[cut]) && cut > shownBytes-utf8.UTFMax {
			cut--
		}
		s, rest = s[:cut], fmt.Sprintf("... (%d bytes)", len(s))
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s = fmt.Sprintf("%q", s)
	}
	return s + rest
}

// printLine prints one reply of a watch.
func printLine(w io.Writer, as format, v any, text string) error {
	if as == asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return failedError(e.Encode(v))
	}
	_, err := fmt.Fprintln(w, text)
	return failedError(err)
}

// printDone prints that something was done, for machines too.
func printDone(c *cobra.Command, as format, text string) error {
	return printLine(c.OutOrStdout(), as, struct {
		Done bool `json:"done"`
	}{true}, text)
}

// completeFrom offers what the agent knows, for as long as a shell can wait.
func completeFrom[T any](r *agentClient, q admin.Request, name func(T) string) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		quick := *r
		quick.timeout = time.Second
		ctx := c.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		list, _ := collectReplies[T](ctx, &quick, q)
		var names []string
		for _, v := range list {
			if n := name(v); n == displayText(n) {
				names = append(names, n)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

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

// remote is how a command finds the agent, and how it prints.
type remote struct {
	config, node, socket string
	timeout              time.Duration
	as                   format
}

// remoteFlags adds the flags of the commands that ask a running agent.
func remoteFlags(c *cobra.Command, r *remote) {
	configFlag(c, &r.config)
	formatFlag(c, &r.as)
	c.Flags().StringVar(&r.node, "node", "", "`name` of the node, if the agent was started with --node")
	c.Flags().StringVar(&r.socket, "socket", "", "`path` of the agent's admin socket, instead of -c")
	c.Flags().DurationVar(&r.timeout, "timeout", 10*time.Second, "give up after this time")
}

// paths returns where the socket can be.
func (r *remote) paths() ([]string, error) {
	if r.socket != "" {
		return []string{r.socket}, nil
	}
	if r.config == "" {
		return nil, errors.New("which agent? say -c FILE, the file it was started with, or --socket PATH")
	}
	node, err := nodeOf(r.config)
	if err != nil {
		return nil, failed(err)
	}
	return admin.Paths(node.DataDir, node.Cluster, cmp.Or(r.node, node.Name)), nil
}

// ask asks the agent, for at most the timeout, and hands on each reply.
func (r *remote) ask(ctx context.Context, q admin.Request, each func(json.RawMessage) error) error {
	if r.timeout <= 0 {
		return fmt.Errorf("--timeout %v is not above 0", r.timeout)
	}
	q.Timeout = r.timeout
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout+grace, fmt.Errorf("the agent did not answer within %v", r.timeout))
	defer cancel()
	return r.call(ctx, q, each)
}

// watch asks the agent and hands on replies until the command is told to stop, which is no error.
func (r *remote) watch(ctx context.Context, q admin.Request, each func(json.RawMessage) error) error {
	err := r.call(ctx, q, each)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = failed(errors.New("the agent has ended"))
	}
	return err
}

func (r *remote) call(ctx context.Context, q admin.Request, each func(json.RawMessage) error) error {
	paths, err := r.paths()
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
	return failed(err)
}

// into makes each reply a T.
func into[T any](each func(T) error) func(json.RawMessage) error {
	return func(data json.RawMessage) error {
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return fmt.Errorf("the agent's answer: %w", err)
		}
		return each(v)
	}
}

// all collects the replies to a question.
func all[T any](ctx context.Context, r *remote, q admin.Request) ([]T, error) {
	list := []T{} // [] in JSON
	err := r.ask(ctx, q, into(func(v T) error { list = append(list, v); return nil }))
	return list, err
}

// printAll asks for a list and prints it as a table.
func printAll[T any](c *cobra.Command, r *remote, q admin.Request, head string, row func(T) []string) error {
	list, err := all[T](c.Context(), r, q)
	if err != nil {
		return err
	}
	if r.as == asJSON {
		return failed(printJSON(c.OutOrStdout(), list))
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, v := range list {
		cells := row(v)
		for i := range cells {
			cells[i] = orNothing(shown(cells[i]))
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return failed(t.Flush())
}

// shownBytes is how much of a value a table shows.
const shownBytes = 80

// shown makes text of others fit for a line of a terminal: what is not printable is quoted, what is long is cut.
func shown(s string) string {
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
		return failed(e.Encode(v))
	}
	_, err := fmt.Fprintln(w, text)
	return failed(err)
}

// done prints that something was done, for machines too.
func done(c *cobra.Command, as format, text string) error {
	return printLine(c.OutOrStdout(), as, struct {
		Done bool `json:"done"`
	}{true}, text)
}

// completion offers what the agent knows, for as long as a shell can wait.
func completion[T any](r *remote, q admin.Request, name func(T) string) cobra.CompletionFunc {
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
		list, _ := all[T](ctx, &quick, q)
		var names []string
		for _, v := range list {
			if n := name(v); n == shown(n) {
				names = append(names, n)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

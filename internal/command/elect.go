package command

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/ops"
)

func newElect() *cobra.Command {
	e := elector{}
	c := &cobra.Command{
		Use:   "elect -c FILE NAME -- CMD [ARG...]",
		Short: "Run a command while this node leads under a name",
		Long: `elect stands for election under NAME and runs CMD while it is elected: at most one in the cluster at any instant. CMD finds
the fencing token in CONVOKE_TOKEN, a number that grows with each term, and its shard, 0, in CONVOKE_SHARD.

When the term ends, CMD gets SIGTERM and, after --grace or shortly before the lease is over, SIGKILL, with all
processes of its process group; then elect stands again. When the connection to the agent is lost, CMD gets SIGKILL at
once and elect exits with 1. When CMD ends by itself, elect gives the leadership up and exits with its code; after SIGTERM or SIGINT
it ends CMD in the same way, and exits with 0.
No lease stops what CMD has already sent elsewhere: have the receiver refuse smaller tokens than it has seen.`,
		Args: func(c *cobra.Command, args []string) error {
			if c.ArgsLenAtDash() != 1 || len(args) < 2 {
				return errors.New("want a name, -- and a command: elect -c FILE NAME -- CMD [ARG...]")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if e.grace < 0 {
				return fmt.Errorf("--grace %v is below 0", e.grace)
			}
			if _, err := exec.LookPath(args[1]); err != nil { // before others wait for this node
				return failedError(err)
			}
			e.name, e.run, e.out = args[0], args[1:], c
			return e.stand(c.Context())
		},
	}
	clientFlags(c, &e.agentClient)
	hideTimeout(c)
	c.Flags().DurationVar(&e.grace, "grace", 5*time.Second, "how long CMD may take to end after SIGTERM")
	return c
}

// elector runs a command for one term after the other.
type elector struct {
	agentClient
	name  string
	run   []string
	grace time.Duration
	out   *cobra.Command // whose streams are those of the command
}

// childExit is the code with which a command has ended.
type childExit struct{ code int }

func (e *childExit) Error() string { return fmt.Sprintf("the command has ended with %d", e.code) }

// stand stands for election until the command has ended by itself, the agent cannot be asked, or ctx ends.
func (e *elector) stand(ctx context.Context) error {
	for {
		again, err := e.runTerm(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if !again {
			return err
		}
	}
}

// runTerm waits for a term and runs the command in it. It reports whether another term should follow. The connection is closed when the command has
// ended, not before: that is what the next leader waits for.
func (e *elector) runTerm(ctx context.Context) (again bool, err error) {
	connected, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	steps, lost := make(chan ops.Term), make(chan error, 1)
	go func() {
		lost <- e.stream(connected, post("elect/"+part(e.name), nil), reportEach(ops.EventTerm, func(s ops.Term) error {
			select {
			case steps <- s:
				return nil
			case <-connected.Done():
				return connected.Err()
			}
		}))
	}()
	t := term{elector: e, timer: time.NewTimer(time.Hour)}
	defer t.timer.Stop()
	again, err, open := t.follow(ctx, steps, lost)
	hangUp()
	if open {
		<-lost
	}
	return again, err
}

// report prints a step of an election to stderr, as stdout is the command's.
func (e *elector) report(s ops.Term, text string) {
	_ = printLine(e.out.ErrOrStderr(), e.as, s, text) // a reader that has gone is no reason to end
}

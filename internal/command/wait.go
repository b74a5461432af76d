package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
)

// waitPause is the time between two looks at a node.
const waitPause = 200 * time.Millisecond

func newWait() *cobra.Command {
	var r agentClient
	var formed bool
	c := &cobra.Command{
		Use:   "wait [-c FILE] [--formed] [TOPOLOGY...]",
		Short: "Wait until the node runs, or until its cluster has formed",
		Long: `wait returns when the agent runs and lists its members; with --formed when the topologies that are named, or all, were whole
once. After --timeout it exits with 1 and prints what is missing. It waits for an agent that is not started yet, too.`,
		RunE: func(c *cobra.Command, topologies []string) error {
			if r.timeout <= 0 {
				return fmt.Errorf("--timeout %v is not above 0", r.timeout)
			}
			if len(topologies) > 0 && !formed {
				return errors.New("topologies are waited for with --formed")
			}
			if err := r.await(c.Context(), formed, topologies); err != nil {
				return failedError(err)
			}
			return printDone(c, r.as, map[bool]string{false: "running", true: "formed"}[formed])
		},
	}
	clientFlags(c, &r)
	c.Flags().BoolVar(&formed, "formed", false, "wait until the topologies have formed")
	c.ValidArgsFunction = completeTopologies(&r)
	return c
}

// await returns when the node is as wanted, or after the timeout why it is not.
func (r *agentClient) await(ctx context.Context, formed bool, topologies []string) error {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	tick := time.NewTicker(waitPause)
	defer tick.Stop()
	once := *r
	once.timeout = min(r.timeout, maxTimeout)
	var last error // what was missing until now
	for {
		d, err := ask[ops.Document](ctx, &once, get("status"))
		switch {
		case err == nil:
			if err := checkTopologies(&d, topologies); err != nil {
				return err
			}
			err = missingOf(&d, formed, topologies)
		case ctx.Err() != nil && last != nil: // the time was over before there was an answer
			err = last
		case ctx.Err() == nil && !errors.Is(err, admin.ErrNoAgent) && !errors.Is(err, errNoAgentFound):
			return err
		}
		if err == nil {
			return nil
		}
		last = err
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("after %v: %w", r.timeout, err)
		}
	}
}

// checkTopologies returns an error if a topology does not exist: none would be waited for without end.
func checkTopologies(d *ops.Document, topologies []string) error {
	var names []string
	for _, t := range d.Topologies {
		names = append(names, t.Name)
	}
	for _, name := range topologies {
		if !slices.Contains(names, name) {
			return fmt.Errorf("no topology is named %q; there is %s", name, strings.Join(names, ", "))
		}
	}
	return nil
}

// missingOf returns what a node lacks.
func missingOf(d *ops.Document, formed bool, topologies []string) error {
	if d.Node.State != ops.StateRunning {
		return fmt.Errorf("the node is %s: %s", d.Node.State, d.Node.Problem)
	}
	if !formed {
		return nil
	}
	var errs []error
	for _, t := range d.Topologies {
		if !t.Formed && (len(topologies) == 0 || slices.Contains(topologies, t.Name)) {
			errs = append(errs, fmt.Errorf("topology %s has not formed: %s", t.Name, t.Why))
		}
	}
	return errors.Join(errs...)
}

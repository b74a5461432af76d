// Package exec finds the peers that a program prints.
package exec

import (
	"context"
	"fmt"

	"github.com/goconvoke/convoke/internal/targets"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// Kind registers the strategy as "exec".
var Kind = strategy.Kind[Config]{
	Name:    "exec",
	Doc:     "a program of yours that prints one host:port a line, or JSON",
	Default: DefaultConfig(),
	New:     newStrategy,
}

// newStrategy makes the strategy. It runs the program every interval, never twice at a time. What the program prints
// counts when it ends with exit code 0.
func newStrategy(c Config, env strategy.Env) (strategy.Strategy, error) {
	return strategyOf(c, env, runProgram), nil
}

// runner runs a program and returns what it printed. ctx has a deadline.
type runner func(ctx context.Context, p program) ([]byte, error)

func strategyOf(c Config, env strategy.Env, run runner) strategy.Strategy {
	lookup := func(ctx context.Context) ([]peer.Peer, error) {
		output, err := run(ctx, program{argv: c.Command, dir: c.Dir, env: programEnv(c.Env, env)})
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", c.Command[0], err)
		}
		peers, err := parseOutput(output, c.Port, targets.Options{
			IDLabel: c.IDLabel, ZoneLabel: c.ZoneLabel, VersionLabel: c.VersionLabel,
		})
		if err != nil {
			return peers, fmt.Errorf("output of %s: %w", c.Command[0], err)
		}
		return peers, nil
	}
	return strategy.Poll(c.Filter(lookup, env), c.PollConfig, env)
}

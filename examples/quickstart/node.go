package main

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// report is what a node prints, one JSON object a line: its name and whom it sees.
type report struct {
	Node string   `json:"node"`
	Sees []string `json:"sees"` // itself included, sorted
}

// runNode is all that a program needs to take part in a cluster.
func runNode(ctx context.Context, file string) error {
	level := hclog.LevelFromString(os.Getenv("QUICKSTART_LOG")) // "debug" shows how it works
	if level == hclog.NoLevel {
		level = hclog.Error
	}
	log := hclog.New(&hclog.LoggerOptions{Name: os.Getenv(nodeEnv), Level: level, Output: os.Stderr})
	running, err := agent.Start(ctx, file, agent.Options{Strategies: builtin.Registry(), Log: log})
	if err != nil {
		return err
	}
	go func() { // standard input ends when the process that started this one does
		_, _ = io.Copy(io.Discard, os.Stdin)
		running.Stop()
	}()
	for members := range running.WatchMembers(ctx) {
		var sees []string
		for _, m := range members {
			sees = append(sees, m.Name)
		}
		_ = json.NewEncoder(os.Stdout).Encode(report{running.Config().Name, sees})
	}
	running.Stop()
	return running.Err()
}

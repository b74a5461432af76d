package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/examples/shards/store"
	"github.com/goconvoke/convoke/quorum"
	"github.com/goconvoke/convoke/strategy/builtin"
)

// endWithInput is set by the process that starts this one: the end of standard input ends the node.
const endWithInput = "SHARDS_END_WITH_INPUT"

// writeEvery is how often a holder writes.
const writeEvery = 50 * time.Millisecond

// node runs a node that works on its shards until ctx ends.
func node(ctx context.Context, records string) error {
	level := cmp.Or(hclog.LevelFromString(os.Getenv("LOG_LEVEL")), hclog.Warn)
	log := hclog.New(&hclog.LoggerOptions{Name: os.Getenv("HOSTNAME"), Level: level, Output: os.Stderr})
	kept, err := store.Open(records)
	if err != nil {
		return err
	}
	defer kept.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if os.Getenv(endWithInput) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	return inTempDir(func(dir string) error {
		file := filepath.Join(dir, "topology.yaml")
		if err := os.WriteFile(file, topology, 0o600); err != nil {
			return err
		}
		running, err := agent.Start(ctx, file, agent.Options{Strategies: builtin.Registry(), Log: log})
		if err != nil {
			return err
		}
		defer running.Stop()
		return workOn(ctx, running, kept)
	})
}

// workOn holds shards, and writes for each as long as this process may act on it.
func workOn(ctx context.Context, running *agent.Node, kept *store.Store) error {
	if err := running.Formed(ctx); err != nil {
		return ended(ctx, err)
	}
	shards, err := running.Shards("partitions")
	if err != nil {
		return err
	}
	err = shards.Work(ctx, func(ctx context.Context, h quorum.Hold) error {
		claim := store.Claim{Shard: h.Shard, Token: uint64(h.Token), Holder: running.Config().Name}
		tick := time.NewTicker(writeEvery)
		defer tick.Stop()
		for {
			if err := h.Valid(); err != nil {
				return err
			}
			if err := kept.Write(ctx, claim); err != nil && ctx.Err() == nil {
				return fmt.Errorf("write shard %d: %w", h.Shard, err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
	return ended(ctx, err)
}

// ended leaves out the error of a node that was asked to end.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

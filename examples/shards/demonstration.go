package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/examples/shards/store"
)

const (
	partitions = 12
	recent     = 500 * time.Millisecond // a holder that has not written for so long is gone
)

// demonstrate starts three nodes, kills one, and checks what the store has seen. It ends every process that it started.
func demonstrate(ctx context.Context, records string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done within %v", limit))
	defer cancel()
	if err := os.WriteFile(records, nil, 0o600); err != nil { // so that it can be read from the first moment on
		return err
	}
	all := []string{"a", "b", "c"}
	p, err := startProcesses(all, records)
	defer p.end()
	if err != nil {
		return err
	}
	before, err := awaitHeld(ctx, p, records, all)
	if err != nil {
		return err
	}
	printHolders(before)
	fmt.Println("kill -9 c")
	killed := time.Now()
	if err := p.kill("c"); err != nil {
		return err
	}
	after, err := awaitHeld(ctx, p, records, []string{"a", "b"})
	if err != nil {
		return err
	}
	for shard, r := range before {
		if r.Holder == "c" {
			fmt.Printf("shard %d: %s took over from c, token %d after %d\n", shard, after[shard].Holder, after[shard].Token, r.Token)
		}
	}
	fmt.Printf("all shards are held again %.2fs after the kill\n", time.Since(killed).Seconds())
	printHolders(after)
	if err := p.end(); err != nil {
		return err
	}
	return checkRecords(records)
}

// holders has the newest write for each shard.
type holders [partitions]store.Record

// awaitHeld waits until every shard is written by one of these nodes, and each of them holds its share.
func awaitHeld(ctx context.Context, p *processes, records string, nodes []string) (holders, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		h, err := readHolders(records)
		if err != nil || h.shared(nodes) {
			return h, err
		}
		select {
		case <-tick.C:
		case name := <-p.gone:
			return h, fmt.Errorf("node %s has ended by itself", name)
		case <-ctx.Done():
			return h, fmt.Errorf("%v do not hold all shards: %v: %w", nodes, h.byHolder(), context.Cause(ctx))
		}
	}
}

func readHolders(records string) (h holders, err error) {
	all, err := store.Read(records)
	for _, r := range all {
		if !r.Refused {
			h[r.Shard] = r
		}
	}
	return h, err
}

// shared reports whether the shards are divided evenly among these nodes, all of which wrote just now.
func (h holders) shared(nodes []string) bool {
	held := h.byHolder()
	for _, name := range nodes {
		if len(held[name]) != partitions/len(nodes) {
			return false
		}
	}
	return !slices.ContainsFunc(h[:], func(r store.Record) bool { return time.Since(r.Time) > recent })
}

func (h holders) byHolder() map[string][]int {
	held := make(map[string][]int)
	for shard, r := range h {
		held[r.Holder] = append(held[r.Holder], shard)
	}
	return held
}

func printHolders(h holders) {
	held := h.byHolder()
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(held)) {
		parts = append(parts, fmt.Sprintf("%s holds %v", name, held[name]))
	}
	fmt.Println(strings.Join(parts, ", "))
}

// checkRecords looks for two holders of a shard at one time.
func checkRecords(records string) error {
	all, err := store.Read(records)
	if err != nil {
		return err
	}
	if err := store.Check(all); err != nil {
		return fmt.Errorf("of %d writes some show two holders:\n%w", len(all), err)
	}
	fmt.Printf("%d shards, %d writes: no shard ever had two holders\n", partitions, len(all))
	return nil
}

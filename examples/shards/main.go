// Command shards shows three processes that share 12 shards:
//
//	go run ./examples/shards
//
// One of them is killed, and the others take over what it held. Each holder writes into a store that keeps token, shard and time of every
// write; at the end the store's log is searched for two holders of one shard at one time. It exits with 0 if there were none.
//
// As one of many nodes, on machines or in containers, it is started with -node; compose.yaml shows the variables.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

//go:embed topology.yaml
var topology []byte

// limit is for the whole demonstration.
const limit = 60 * time.Second

func main() {
	asNode := flag.Bool("node", false, "run one node until it is interrupted")
	records := flag.String("store", "", "`file` of the store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var err error
	if *asNode {
		err = node(ctx, *records)
	} else {
		err = inTempDir(func(dir string) error { return demonstrate(ctx, filepath.Join(dir, "store")) })
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "shards:", err)
		os.Exit(1)
	}
}

// inTempDir runs fn with a directory that is removed afterwards.
func inTempDir(fn func(dir string) error) error {
	dir, err := os.MkdirTemp("", "shards-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return fn(dir)
}

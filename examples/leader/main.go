// Command leader does a job at one of its copies at a time. Start it in three terminals:
//
//	LEADER_NODE=a go run ./examples/leader
//	LEADER_NODE=b go run ./examples/leader
//	LEADER_NODE=c go run ./examples/leader
//
// One prints that it leads. End it, with Ctrl-C or kill -9, and another one does. The token grows with each leader.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/quorum"
	"github.com/goconvoke/convoke/strategy/builtin"
)

func main() {
	file := flag.String("config", "examples/leader/topology.yaml", "topology `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *file); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, file string) error {
	node, err := agent.Start(ctx, file, agent.Options{Strategies: builtin.Registry()})
	if err != nil {
		return err
	}
	defer node.Stop() // the next leader begins at once
	if err := node.Formed(ctx); err != nil {
		return err
	}
	return node.Quorum().Lead(ctx, "billing", func(ctx context.Context, h quorum.Hold) error {
		fmt.Printf("%s leads with token %d\n", node.Config().Name, h.Token)
		return bill(ctx, h)
	})
}

// bill works until another one is to lead. A store that it writes to gets the token, and refuses smaller ones than it has seen.
func bill(ctx context.Context, h quorum.Hold) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done(): // before the lease is over
			return nil
		case <-tick.C:
		}
		if err := h.Valid(); err != nil { // this process was stopped for longer than its lease
			return err
		}
	}
}

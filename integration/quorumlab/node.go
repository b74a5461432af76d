// Package quorumlab runs nodes with a quorum as processes in the hosts of a lab, and records in the test process what each shard function does and
// under which token, by one clock. What was recorded is judged by the fencing store of examples/shards and, for the map, by porcupine.
package quorumlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum"
)

const (
	leaveWithin = 15 * time.Second // for a node that was asked to end
	joinEvery   = 500 * time.Millisecond
)

// node is one process.
type node struct {
	config config
	out    *reporter
	log    hclog.Logger
	gossip *gossip.Node
	quorum *quorum.Quorum // nil: none
	wg     sync.WaitGroup
}

// Run is a process: a node of gossip with a quorum part that works on both groups, until SIGTERM, which has it leave. It is a probe of a lab.
func Run(args []string) (err error) {
	n := &node{log: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: os.Stdout})}
	if len(args) != 1 {
		return errors.New("want one argument, the configuration")
	}
	if err := json.Unmarshal([]byte(args[0]), &n.config); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if n.out, err = dialReporter(n.config.Socket, n.config.Name); err != nil {
		return err
	}
	defer n.out.close()
	if err := n.start(); err != nil {
		return err
	}
	defer n.gossip.Stop()
	n.wg.Go(func() { n.join(ctx) })
	work, endWork := context.WithCancel(context.Background())
	defer endWork()
	if n.quorum != nil {
		n.wg.Go(func() { n.work(work, Exclusive, quorum.Exclusive) })
		n.wg.Go(func() { n.work(work, Fenced, quorum.Fenced) })
		n.wg.Go(func() { n.reportLeading(ctx) })
	}
	n.wg.Go(func() { n.serve(ctx) })
	<-ctx.Done()
	err = n.leave()
	endWork()
	n.wg.Wait()
	return err
}

// start starts gossip and the quorum part.
func (n *node) start() (err error) {
	c := n.config
	n.gossip, err = gossip.Start(gossip.Config{Name: c.Name, ClusterID: "lab", Listen: c.Listen, DataDir: filepath.Join(c.Dir, "gossip"), Log: n.log.Named("gossip")})
	if err != nil || c.Plain {
		return err
	}
	n.quorum, err = quorum.Start(quorum.Config{Node: n.gossip, DataDir: filepath.Join(c.Dir, "quorum"), Birth: quorum.Expect(c.Expect),
		Voters: c.Voters, Lease: c.Lease, ReplaceAfter: c.ReplaceAfter, Log: n.log.Named("quorum")})
	if err != nil {
		n.gossip.Stop()
	}
	return err
}

// join joins the peers until another member is up.
func (n *node) join(ctx context.Context) {
	ticker := time.NewTicker(joinEvery)
	defer ticker.Stop()
	for n.alone() {
		_ = n.gossip.Join(ctx, n.config.Peers...) // tried again
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *node) alone() bool {
	for m := range n.gossip.View().All() {
		if m.Up() && m.Name != n.config.Name {
			return false
		}
	}
	return true
}

// leave gives up all that this node holds and leaves the cluster.
func (n *node) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveWithin)
	defer cancel()
	var err error
	if n.quorum != nil {
		if err = n.quorum.Leave(ctx); err != nil {
			err = fmt.Errorf("leave the quorum: %w", err)
		}
	}
	return errors.Join(err, n.gossip.Leave(ctx))
}

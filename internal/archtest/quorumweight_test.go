package archtest

import "testing"

// member is a program that runs a node of the gossip core; alone and voting are its second file.
const (
	member = `package main

import (
	"context"
	"log"
	"os"

	"github.com/goconvoke/convoke/gossip"
)

func main() {
	node, err := gossip.Start(gossip.Config{Name: os.Args[1], ClusterID: "orders", Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(work(context.Background(), node))
}
`
	alone = `package main

import (
	"context"

	"github.com/goconvoke/convoke/gossip"
)

func work(ctx context.Context, node *gossip.Node) error { return node.Set(ctx, "role", "primary") }
`
	// voting leads, works on shards and writes the map.
	voting = `package main

import (
	"context"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum"
)

func work(ctx context.Context, node *gossip.Node) error {
	if err := node.Set(ctx, "role", "primary"); err != nil {
		return err
	}
	q, err := quorum.Start(quorum.Config{Node: node, Voters: 3, Birth: quorum.Expect(3)})
	if err != nil {
		return err
	}
	if err := q.Lead(ctx, "billing", hold); err != nil {
		return err
	}
	orders, err := q.Shards("orders", quorum.Settings{Count: 16})
	if err != nil {
		return err
	}
	if err := orders.Work(ctx, hold); err != nil {
		return err
	}
	_, err = q.Map().Update(ctx, "next", func(old string, _ bool) (string, bool, error) { return old, true, nil })
	return err
}

func hold(ctx context.Context, h quorum.Hold) error {
	<-ctx.Done()
	return h.Valid()
}
`
)

func TestAQuorumAddsLittleToAProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	const limit = 3.4 // MB; docs/decisions/0026-etcd-raft.md has the parts
	without, with := sizeOf(t, member, alone), sizeOf(t, member, voting)
	grows := float64(with-without) / 1e6
	t.Logf("%4.2f MB, of %v at most: what a quorum adds to a stripped program with gossip, which has %.2f MB", grows, limit, float64(without)/1e6)
	if grows > limit {
		t.Errorf("a quorum adds %.2f MB to a program with gossip, want at most %v", grows, limit)
	}
}

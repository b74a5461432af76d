package quorum_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum"
)

// startOne starts a node that is a cluster and a quorum of its own, as a program does while it is developed.
func startOne() (q *quorum.Quorum, stop func()) {
	node, err := gossip.Start(gossip.Config{Name: "a", ClusterID: "example", Listen: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	q, err = quorum.Start(quorum.Config{Node: node, Voters: 1, Birth: quorum.Expect(1)})
	if err != nil {
		log.Fatal(err)
	}
	return q, func() {
		q.Stop()
		node.Stop()
	}
}

func ExampleQuorum_Lead() {
	q, stop := startOne()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	err := q.Lead(ctx, "billing", func(_ context.Context, h quorum.Hold) error {
		if err := h.Valid(); err != nil {
			return err
		}
		fmt.Println("leads", h.Group)
		return nil // done: another member may lead
	})
	fmt.Println(err)
	// Output:
	// leads billing
	// <nil>
}

func ExampleQuorum_Shards() {
	q, stop := startOne()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	orders, err := q.Shards("orders", quorum.Settings{Count: 16})
	if err != nil {
		log.Fatal(err)
	}
	began := make(chan int, 16)
	go func() {
		_ = orders.Work(ctx, func(ctx context.Context, h quorum.Hold) error { // one call for each shard held
			began <- h.Shard
			<-ctx.Done() // work on the shard, with h.Token in each write, until the context ends
			return nil
		})
	}()
	for range 16 {
		<-began
	}
	if err := orders.Sync(ctx); err != nil {
		log.Fatal(err)
	}
	shard := orders.Of("customer-42")
	name, _, ok := orders.Owner(shard)
	fmt.Println("shard", shard, "is held by", name, ok)
	fmt.Println(orders.Drain(ctx))
	// Output:
	// shard 6 is held by a true
	// <nil>
}

func ExampleQuorum_Map() {
	q, stop := startOne()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	m := q.Map()
	for range 3 {
		if _, err := m.Update(ctx, "visits", func(old string, _ bool) (string, bool, error) {
			return old + "I", true, nil // called again if another member changed it meanwhile
		}); err != nil {
			log.Fatal(err)
		}
	}
	visits, err := m.Get(ctx, "visits")
	fmt.Println(visits.Value, err)
	// Output:
	// III <nil>
}

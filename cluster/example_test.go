package cluster_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector/connectortest"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
)

const exampleFile = `
cluster: orders
node:
  name: orders-1
  listen: 10.0.0.1:7946
topologies:
  lan:
    strategy: static
    expect: 3
    config:
      hosts: [10.0.0.2:7946, 10.0.0.3:7946]
`

// writeExample writes the file that the examples load, and returns its path and a function that removes it.
func writeExample() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	path = filepath.Join(dir, "topology.yaml")
	if err := os.WriteFile(path, []byte(exampleFile), 0o600); err != nil {
		log.Fatal(err)
	}
	return path, func() { _ = os.RemoveAll(dir) }
}

// A program with a connector of its own (here one in memory) runs a supervisor until its context is done.
func Example() {
	path, remove := writeExample()
	defer remove()

	strategies, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		log.Fatal(err)
	}
	config, err := cluster.Load(path, cluster.LoadOptions{Strategies: strategies})
	if err != nil {
		log.Fatal(err) // every mistake of the file, each with its place
	}
	supervisor, err := cluster.New(config, cluster.WithConnector("mesh", connectortest.NewMesh()))
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- supervisor.Run(ctx) }()

	waiting, done := context.WithTimeout(ctx, 10*time.Second)
	defer done()
	if err := supervisor.Formed(waiting); err != nil {
		log.Fatal(err) // names what is missing
	}
	for _, t := range supervisor.Stats().Topologies {
		fmt.Printf("topology %s: %d of %d nodes together\n", t.Name, t.Connected+1, t.Expect)
	}
	for _, p := range supervisor.Status().Topologies[0].Peers {
		fmt.Println(p.Addr, "connected:", p.Connected)
	}

	cancel()
	fmt.Println(<-ended)
	// Output:
	// topology lan: 3 of 3 nodes together
	// 10.0.0.2:7946 connected: true
	// 10.0.0.3:7946 connected: true
	// context canceled
}

// A program that brings connections of its own follows what a strategy finds, without a connector.
func ExampleConfig_Follow() {
	path, remove := writeExample()
	defer remove()

	strategies, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		log.Fatal(err)
	}
	config, err := cluster.Load(path, cluster.LoadOptions{Strategies: strategies})
	if err != nil {
		log.Fatal(err)
	}
	answers, err := config.Follow(context.Background(), "lan", nil)
	if err != nil {
		log.Fatal(err)
	}
	for peers, err := range answers {
		if err != nil {
			log.Print(err) // the source fails: peers are those that are still known
		}
		for _, p := range peers {
			fmt.Println(p.Addr)
		}
		break // a program goes on: each change of the answer comes here
	}
	// Output:
	// 10.0.0.2:7946
	// 10.0.0.3:7946
}

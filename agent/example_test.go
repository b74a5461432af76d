package agent_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
)

// A service starts its node from a file, waits for the others, and reads who they are.
func ExampleStart() {
	dir, err := os.MkdirTemp("", "agent")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "topology.yaml")
	text := "{cluster: example, node: {name: a, listen: '127.0.0.1:0'}, topologies: {lan: {strategy: static, config: {hosts: ['127.0.0.1:1']}, expect: 1}}}"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	strategies, err := strategy.NewRegistry(static.Kind) // builtin.Registry() has all
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	node, err := agent.Start(ctx, file, agent.Options{Strategies: strategies, Log: hclog.NewNullLogger(), Socket: filepath.Join(dir, "admin.sock")})
	if err != nil {
		log.Fatal(err) // the mistakes of the file, each with its place
	}
	defer node.Stop()
	if err := node.Formed(ctx); err != nil {
		log.Fatal(err) // names who is missing
	}
	members, err := node.Members(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range members {
		fmt.Println(m.Name, m.Status)
	}
	// Output: a up
}

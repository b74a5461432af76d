package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/local"
	"github.com/goconvoke/convoke/strategy/static"
)

// startAgents starts agents that find each other in a directory; the first one also looks for a host at which nothing listens.
func startAgents(t *testing.T, names ...string) []*agent.Node {
	t.Helper()
	dir, err := os.MkdirTemp("", "page") // short, for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	strategies, err := strategy.NewRegistry(local.Kind, static.Kind)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []*agent.Node
	for i, name := range names {
		text := fmt.Sprintf("cluster: orders\nnode: {name: %s, listen: \"127.0.0.1:0\"}\nhttp: {listen: \"127.0.0.1:0\"}\ntopologies:\n"+
			"  here: {strategy: local, expect: %d, config: {dir: %s, interval: 100ms}}\n", name, len(names), filepath.Join(dir, "meet"))
		if i == 0 {
			text += "  old: {strategy: static, config: {hosts: [\"127.0.0.1:1\"]}}\n"
		}
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := agent.Start(t.Context(), file, agent.Options{Strategies: strategies, Socket: filepath.Join(dir, name), Log: hclog.NewNullLogger()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Stop)
		nodes = append(nodes, n)
	}
	return nodes
}

// pageOf returns the address of the page of an agent, once it listens.
func pageOf(t *testing.T, n *agent.Node) string {
	t.Helper()
	for end := time.Now().Add(patience); n.HTTP() == ""; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the agent does not listen")
		}
	}
	return "http://" + n.HTTP() + "/"
}

func TestThePageOfAnAgentNamesARefusedPeerAndFollowsOneThatLeaves(t *testing.T) {
	nodes := startAgents(t, "n1", "n2", "n3")
	b := open(t, pageOf(t, nodes[0]))
	b.await("3 of 3 nodes are together")
	b.await("connection refused")
	b.await("127.0.0.1:1")
	b.await("live")
	nodes[2].Stop()
	b.await("– left")
	b.keep("agent")
	b.wantNoProblems()
}

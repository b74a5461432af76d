package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// heavy lists what a program does not link that did not ask for it.
var heavy = []string{
	"k8s.io/*", "github.com/hashicorp/memberlist*", "github.com/hashicorp/serf*", "github.com/miekg/dns*",
	"github.com/spf13/cobra*", "golang.org/x/net/ipv4*", "github.com/prometheus/*", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/sdk*", "net/http", "testing", "github.com/google/go-cmp*",
}

// A program runs a supervisor with one strategy, so that the linker keeps all that a user's program would
// keep; callbacks and gossips are its second file, which names what connects.
const (
	program = `package main

import (
	"context"
	"log"
	"os"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/%[1]s"
)

func main() {
	registry, err := strategy.NewRegistry(%[1]s.Kind)
	if err != nil {
		log.Fatal(err)
	}
	config, err := cluster.Load(os.Args[1], cluster.LoadOptions{Strategies: registry})
	if err != nil {
		log.Fatal(err)
	}
	s, err := cluster.New(config, with(config))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(s.Run(context.Background()))
}
`
	callbacks = `package main

import (
	"context"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

func with(*cluster.Config) cluster.Option {
	call := func(context.Context, peer.Peer) error { return nil }
	list := func(context.Context) ([]peer.Peer, error) { return nil, nil }
	return cluster.WithConnector("callbacks", connector.Funcs{ConnectFunc: call, DisconnectFunc: call, ListFunc: list})
}
`
	gossips = `package main

import (
	"log"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
)

func with(config *cluster.Config) cluster.Option {
	c, err := gossip.Kind.New(config.Node, connector.Env{})
	if err != nil {
		log.Fatal(err)
	}
	return cluster.WithConnector("gossip", c)
}
`
)

// measured is gossips with metrics.
const measured = `package main

import (
	"log"
	"net/http"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/ops/prom"
)

func with(config *cluster.Config) cluster.Option {
	made, err := gossip.Kind.New(config.Node, connector.Env{})
	if err != nil {
		log.Fatal(err)
	}
	c := made.(*gossip.Connector)
	s, err := cluster.New(config, cluster.WithConnector("gossip", c))
	if err != nil {
		log.Fatal(err)
	}
	h, err := prom.Handler(prom.New(s, prom.WithNode(c.Node)))
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:7947", h)) }()
	return cluster.WithConnector("gossip", c)
}
`

// operated is a second file for a program whose connector gossips and that serves the API of package ops.
const operated = `package main

import (
	"log"
	"net/http"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/ops"
)

func with(config *cluster.Config) cluster.Option {
	c, err := gossip.Kind.New(config.Node, connector.Env{})
	if err != nil {
		log.Fatal(err)
	}
	option := cluster.WithConnector("gossip", c)
	s, err := cluster.New(config, option)
	if err != nil {
		log.Fatal(err)
	}
	api, err := ops.New(ops.Config{Node: config.Node, Supervisor: s, Connector: c, Gossip: c.(*gossip.Connector).Node})
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:7947", api.Handler(ops.Always(ops.Read)))) }()
	return option
}
`

func TestSmallProgramsLinkWhatTheyUse(t *testing.T) {
	for _, name := range []string{"cluster", "strategy/static", "connector"} {
		if !slices.ContainsFunc(all(t), func(p pkg) bool { return p.path() == name }) {
			t.Skipf("there is no package %s yet", name)
		}
	}
	out, err := run("../..", "go", "list", "-deps", "./cluster", "./strategy/static", "./connector")
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if matches(heavy, dep) {
			t.Errorf("cluster, strategy/static and connector link %s", dep)
		}
	}
}

// dear lists what costs megabytes, and what keeps the linker from leaving methods out: strategy/kubernetes
// uses client-go without any of it.
var dear = []string{
	"k8s.io/api/*", "k8s.io/client-go/kubernetes*", "k8s.io/client-go/informers*", "k8s.io/client-go/dynamic/dynamicinformer*",
	"k8s.io/client-go/listers*",
}

func TestKubernetesLinksNoClientset(t *testing.T) {
	out, err := run("../..", "go", "list", "-deps", "./strategy/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if matches(dear, dep) {
			t.Errorf("strategy/kubernetes links %s", dep)
		}
	}
}

// A program without package agent or quorum has no consensus in it, whatever its connector.
func TestProgramsWithoutAQuorumLinkNone(t *testing.T) {
	out, err := run("../..", "go", "list", "-deps", "./cluster", "./connector/gossip", "./gossip/...", "./ops", "./ops/page", "./strategy/builtin")
	if err != nil {
		t.Fatal(err)
	}
	for dep := range strings.FieldsSeq(string(out)) {
		if matches([]string{"github.com/goconvoke/convoke/quorum*", "go.etcd.io/raft*"}, dep) {
			t.Errorf("a program without a quorum links %s", dep)
		}
	}
	out, err = run("../..", "go", "list", "-deps", "./agent")
	if err != nil || !strings.Contains(string(out), "go.etcd.io/raft/v3") {
		t.Errorf("agent links no quorum (%v): this test looks for the wrong package", err)
	}
}

// The limits leave some room above what the programs have, so that a dependency that costs a megabyte is noticed
// on the day it comes in.
func TestSizesOfPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	for _, c := range []struct {
		what, strategy, rest string
		limit                float64 // MB
	}{
		{"cluster, strategy/static and connector.Funcs", "static", callbacks, 4.2},
		{"cluster, strategy/static and connector/gossip", "static", gossips, 8.3},
		{"cluster, strategy/kubernetes and connector/gossip", "kubernetes", gossips, 13.7},
		{"cluster, strategy/kubernetes, connector/gossip and ops/prom", "kubernetes", measured, 16.4},
		{"cluster, strategy/kubernetes, connector/gossip and ops", "kubernetes", operated, 14.4},
		{"cluster, strategy/kubernetes, connector/gossip, ops and ops/page", "kubernetes", paged, 14.8},
		{"cluster, strategy/kubernetes, connector/gossip, ops, ops/page and ops/prom", "kubernetes", watched, 17.3},
	} {
		size := float64(sizeOf(t, fmt.Sprintf(program, c.strategy), c.rest)) / 1e6
		t.Logf("%4.1f MB, of %v at most: a stripped program with %s", size, c.limit, c.what)
		if size > c.limit {
			t.Errorf("a program with %s has %.1f MB, want at most %v", c.what, size, c.limit)
		}
	}
}

// sizeOf builds a program of these files and returns its stripped size in bytes.
func sizeOf(t *testing.T, files ...string) int64 {
	t.Helper()
	dir := t.TempDir()
	// The program lives outside the module tree; an overlay puts it inside for one build.
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var replace []string
	for i, text := range files {
		name := fmt.Sprintf("file%d.go", i)
		src := filepath.Join(dir, name)
		write(t, src, text)
		where := filepath.Join(root, "internal", "archtest", "small", name)
		replace = append(replace, fmt.Sprintf("%q: %q", filepath.ToSlash(where), filepath.ToSlash(src)))
	}
	overlay, bin := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "small")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	write(t, overlay, `{"Replace": {`+strings.Join(replace, ", ")+`}}`)
	t.Setenv("CGO_ENABLED", "0")
	_, err = run(root, "go", "build", "-overlay", overlay, "-trimpath", "-ldflags", "-s -w", "-o", bin, "./internal/archtest/small")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(bin)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whoever requires this module gets its requirements: hashicorp/raft with raft-boltdb, and dskit, do not build beside memberlist's.
func TestTheRootModuleRequiresNeitherMemberlistNorSerf(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hashicorp/memberlist", "hashicorp/serf", "hashicorp/go-metrics"} {
		if strings.Contains(string(text), name) {
			t.Errorf("go.mod requires %s", name)
		}
	}
}

// embedded is a service as the README shows it.
const embedded = `package main

import (
	"context"
	"log"
	"os"

	"github.com/goconvoke/convoke/agent"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
)

func main() {
	registry, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		log.Fatal(err)
	}
	node, err := agent.Start(context.Background(), os.Args[1], agent.Options{Strategies: registry})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(node.Formed(context.Background()))
}
`

func TestAServiceWithOneStrategyIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	const limit = 13.8 // MB; net/http is in it, for the API of package ops, and the page
	if size := float64(sizeOf(t, embedded)) / 1e6; size > limit {
		t.Errorf("a program with agent and strategy/static has %.1f MB, want at most %v", size, limit)
	} else {
		t.Logf("%4.1f MB, of %v at most: a stripped program with agent and strategy/static", size, limit)
	}
}

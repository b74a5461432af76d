package archtest

import (
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
	"github.com/spf13/cobra*", "golang.org/x/net/ipv4*", "testing", "github.com/google/go-cmp*",
}

// small is a program with one strategy and three callbacks that runs a supervisor, so that the linker
// keeps all that a user's program would keep.
const small = `package main

import (
	"context"
	"log"
	"os"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/static"
)

func main() {
	registry, err := strategy.NewRegistry(static.Kind)
	if err != nil {
		log.Fatal(err)
	}
	config, err := cluster.Load(os.Args[1], cluster.Vocabulary{Strategies: registry})
	if err != nil {
		log.Fatal(err)
	}
	call := func(context.Context, peer.Peer) error { return nil }
	list := func(context.Context) ([]peer.Peer, error) { return nil, nil }
	s, err := cluster.New(config, cluster.WithConnector("callbacks",
		connector.Funcs{ConnectFunc: call, DisconnectFunc: call, ListFunc: list}))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(s.Run(context.Background()))
}
`

// maxSmall bounds the stripped size of the small program, in bytes: a dependency that
// nearly doubles it is noticed on the day it comes in.
const maxSmall = 6 << 20

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

func TestSizeOfASmallProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir := t.TempDir()
	// The program lives outside the module tree; an overlay puts it inside for one build.
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	src, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "small")
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	overlay := filepath.Join(dir, "overlay.json")
	where := filepath.Join(root, "internal", "archtest", "small", "main.go")
	write(t, src, small)
	write(t, overlay, `{"Replace": {"`+filepath.ToSlash(where)+`": "`+filepath.ToSlash(src)+`"}}`)
	t.Setenv("CGO_ENABLED", "0")
	_, err = run(root, "go", "build", "-overlay", overlay, "-trimpath", "-ldflags", "-s -w", "-o", bin, "./internal/archtest/small")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(bin)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a program with cluster, strategy/static and connector.Funcs has %.1f MB stripped", float64(info.Size())/1e6)
	if info.Size() > maxSmall {
		t.Errorf("the small program has %d bytes, want at most %d", info.Size(), maxSmall)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

package examples_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"go/format"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/peer"
)

// key is a pre-shared key.
var key = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))

// programBlocks is the number of Go blocks of the README that are one program: it, and what goes on where it has formed.
const programBlocks = 2

// readmeProgram builds the first Go blocks of the README in their order: the first is a program, the second goes on where it has formed.
func readmeProgram(t *testing.T) (program string) {
	t.Helper()
	blocks := slices.DeleteFunc(pageBlocks(t, "README.md"), func(b block) bool { return b.language != "go" })
	const end = "\t<-ctx.Done()\n"
	if len(blocks) < programBlocks || !strings.HasPrefix(blocks[0].text, "package main\n") || strings.Count(blocks[0].text, end) != 1 {
		t.Fatalf("the README has the Go blocks %v, want a program that waits for the end of its context, and what goes on from there", blocks)
	}
	for _, b := range blocks {
		if formatted, err := format.Source([]byte(b.text)); err != nil || string(formatted) != b.text {
			t.Errorf("%v: not as gofmt writes it (%v), want\n%s", b, err, formatted)
		}
	}
	source, rest := blocks[0].text, ""
	if err := buildSource(t, "", source, os.DevNull); err != nil {
		t.Fatalf("the program of the README: %v", err)
	}
	for _, b := range blocks[1:programBlocks] {
		rest += fmt.Sprintf("//line %s:%d\n%s", b.page, b.line, b.text)
	}
	program = filepath.Join(t.TempDir(), "readme")
	if err := buildSource(t, "", strings.Replace(source, end, rest+end, 1), program); err != nil {
		t.Fatalf("the program of the README with the blocks that follow it: %v", err)
	}
	return program
}

// TestTheProgramOfTheReadmeKeepsStrangersOut runs it, with all that the README adds to it, with pre-shared keys in its file.
func TestTheProgramOfTheReadmeKeepsStrangersOut(t *testing.T) {
	t.Parallel()
	program := readmeProgram(t)
	dir, err := os.MkdirTemp("", "rdm") // short, for the admin sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var logs []*output
	for _, name := range []string{"a", "b"} {
		home := filepath.Join(dir, name)
		text := fmt.Sprintf("cluster: orders\nnode: {name: %s, listen: \"127.0.0.1:0\", data_dir: data, keys: [%s]}\n"+
			"topologies: {here: {strategy: local, config: {dir: %s}, expect: 2}}\n", name, key, filepath.Join(dir, "meet"))
		if err := errors.Join(os.Mkdir(home, 0o700), os.WriteFile(filepath.Join(home, "topology.yaml"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		logs = append(logs, startReadme(t, program, home))
	}
	for _, log := range logs {
		log.await(ctx, t, "formed: ", "config/limit")
	}
	members := awaitMembers(ctx, t, filepath.Join(dir, "a", "data", "admin.sock"), 2)

	c, err := gossip.Kind.New(connector.NodeConfig{Cluster: "orders", Name: "stranger", Listen: "127.0.0.1:0"}, connector.Env{})
	if err != nil {
		t.Fatal(err)
	}
	stranger := c.(*gossip.Connector)
	life, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- stranger.Run(life) }()
	defer func() { end(); <-ended }()
	for stranger.Node() == nil {
		select {
		case <-stranger.Changes():
		case <-ctx.Done():
			t.Fatal("the stranger does not listen")
		}
	}
	for _, m := range members {
		if err := stranger.Connect(ctx, peer.Peer{Addr: string(m.Addr)}); err == nil {
			t.Errorf("a node without the key calls %s, and comes in", m.Name)
		}
	}
	if all, err := stranger.List(ctx); err != nil || len(all) > 0 {
		t.Errorf("a node without the key sees %v, %v, want no member", all, err)
	}
	awaitMembers(ctx, t, filepath.Join(dir, "b", "data", "admin.sock"), 2)
}

// output is what a process writes, readable while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until all words were written.
func (o *output) await(ctx context.Context, t *testing.T, words ...string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(o.String(), w) }) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the program lacks one of %q in its log:\n%s", words, o)
		}
	}
}

// startReadme runs the program in a directory and returns its log; the end of the test interrupts it and wants it to end well.
func startReadme(t *testing.T, program, dir string) *output {
	t.Helper()
	cmd, log := exec.Command(program), &output{}
	cmd.Dir, cmd.Stderr = dir, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		limit := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer limit.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v, want exit code 0; it logged\n%s", err, log)
		}
	})
	return log
}

// awaitMembers asks a node until it knows so many members.
func awaitMembers(ctx context.Context, t *testing.T, socket string, want int) []ops.Member {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var all []ops.Member
		err := admin.NewClient(socket).Do(ctx, http.MethodGet, "/api/v1/members", nil, nil, &all)
		if err == nil && len(all) == want {
			return all
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s knows %v, %v, want %d members", socket, all, err, want)
		}
	}
}

// The README has one command for each of two nodes on memberlist; they find each other.
func TestTheCommandsForAnotherConnectorFormACluster(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, dir := filepath.Join(bin, "convoke-hashicorp"), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var outputs []*output
	for line := range strings.Lines(string(text)) {
		args, found := strings.CutPrefix(line, "    go run ./connector/hashicorp/cmd/convoke-hashicorp ")
		if !found {
			continue
		}
		cmd, out := exec.CommandContext(ctx, program, strings.Fields(args)...), &output{}
		cmd.Dir, cmd.Stdout, cmd.Stderr = "..", out, out
		cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 20 * time.Second
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, out)
		t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	}
	if len(outputs) != 2 {
		t.Fatalf("the README has %d commands of convoke-hashicorp, want 2", len(outputs))
	}
	for _, out := range outputs {
		out.await(ctx, t, "2 nodes: a b")
	}
}

package examples_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/gossip"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/peer"
)

// readmeProgram builds the first program of the README as it stands there.
func readmeProgram(t *testing.T) (program string) {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "```go\n")
	code, _, found := strings.Cut(rest, "```")
	if !found || !strings.HasPrefix(code, "package main\n") {
		t.Fatalf("the first Go block of the README is not a program:\n%s", code)
	}
	if formatted, err := format.Source([]byte(code)); err != nil || string(formatted) != code {
		t.Errorf("the program of the README is not as gofmt writes it (%v), want\n%s", err, formatted)
	}
	// The program lies outside of the module; an overlay puts it inside for one build.
	dir := t.TempDir()
	source, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	inside, err := filepath.Abs(filepath.Join("readme", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {inside: source}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(source, []byte(code), 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "readme")
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", program, "./readme").CombinedOutput(); err != nil {
		t.Fatalf("build the program of the README: %v\n%s", err, out)
	}
	return program
}

// TestTheProgramOfTheReadmeKeepsStrangersOut runs it with pre-shared keys in its file.
func TestTheProgramOfTheReadmeKeepsStrangersOut(t *testing.T) {
	t.Parallel()
	program := readmeProgram(t)
	dir, err := os.MkdirTemp("", "rdm") // short, for the admin sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	secret := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for _, name := range []string{"a", "b"} {
		home := filepath.Join(dir, name)
		text := fmt.Sprintf("cluster: orders\nnode: {name: %s, listen: \"127.0.0.1:0\", data_dir: data, keys: [%s]}\n"+
			"topologies: {here: {strategy: local, config: {dir: %s}, expect: 2}}\n", name, secret, filepath.Join(dir, "meet"))
		if err := errors.Join(os.Mkdir(home, 0o700), os.WriteFile(filepath.Join(home, "topology.yaml"), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		startReadme(t, program, home)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
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

// startReadme runs the program in a directory; the end of the test interrupts it and wants it to end well.
func startReadme(t *testing.T, program, dir string) {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Dir = dir
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		limit := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		defer limit.Stop()
		if err := cmd.Wait(); err != nil || !strings.Contains(log.String(), "formed: ") {
			t.Errorf("the program ended with %v, want exit code 0 after its cluster had formed; it logged\n%s", err, &log)
		}
	})
}

// awaitMembers asks a node until it knows so many members.
func awaitMembers(ctx context.Context, t *testing.T, socket string, want int) []admin.Member {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var all []admin.Member
		err := admin.Call(ctx, socket, admin.Request{Op: "members"}, func(data json.RawMessage) error {
			var m admin.Member
			defer func() { all = append(all, m) }()
			return json.Unmarshal(data, &m)
		})
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

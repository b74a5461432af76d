// Package examples_test runs every example as a reader would: as a process of its own.
package examples_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// bin holds the built examples.
var bin string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "examples-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin = dir
	build := exec.Command("go", "build", "-o", dir, "./quickstart", "./embed", "./custom-strategy", "./callbacks", "./leader", "./shards", "../connector/hashicorp/cmd/convoke-hashicorp")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the examples: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// runExample runs an example to its end and returns what it wrote to standard output.
func runExample(t *testing.T, limit time.Duration, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v within %v\nstdout:\n%s\nstderr:\n%s", name, err, limit, out, stderr.String())
	}
	return string(out)
}

func TestQuickstartFormsLosesANodeAndIsWholeAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("takes up to 30 s")
	}
	t.Parallel()
	want := regexp.MustCompile(`^formed 3 nodes in \d+\.\d\ds; noticed the loss in \d+\.\d\ds; whole again in \d+\.\d\ds$`)
	out := strings.TrimSpace(runExample(t, 35*time.Second, "quickstart"))
	last := out[strings.LastIndex(out, "\n")+1:]
	if !want.MatchString(last) {
		t.Errorf("last line = %q, want it to match %s\nall of it:\n%s", last, want, out)
	}
}

func TestCustomStrategyConnectsEveryPeerOfItsFile(t *testing.T) {
	t.Parallel()
	out := runExample(t, 30*time.Second, "custom-strategy")
	inOrder(t, out, "first@10.0.0.1:7946", "second@10.0.0.2:7946")
	if n := strings.Count(out, "connected to"); n != 2 {
		t.Errorf("connected %d times, want 2:\n%s", n, out)
	}
}

func TestCallbacksConnectsThroughTheFunctionsNamedInYAML(t *testing.T) {
	t.Parallel()
	out := runExample(t, 30*time.Second, "callbacks")
	inOrder(t, out, "this call is recorded\n", "connected to 2 phones\n")
}

// inOrder wants the parts to occur one after the other.
func inOrder(t *testing.T, out string, parts ...string) {
	t.Helper()
	rest := out
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("output lacks %q, or has it too early:\n%s", part, out)
			return
		}
		rest = after
	}
}

func TestEmbedServesWhenTheOtherCopyIsFound(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	ready := make(chan string, 2) // one line of each copy
	for _, name := range []string{"left", "right"} {
		serve(t, name, dir, ready)
	}
	for range 2 {
		select {
		case line := <-ready:
			checkServes(ctx, t, line)
		case <-ctx.Done():
			t.Fatal("the two copies were not ready within 30 s")
		}
	}
}

// serve starts a copy; the end of the test interrupts it and wants it to end well.
func serve(t *testing.T, name, dir string, ready chan<- string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "embed"), "-config", "embed/topology.yaml", "-for", "1m")
	cmd.Env = append(os.Environ(), "EMBED_NODE="+name, "EMBED_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			ready <- lines.Text()
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		limit := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer limit.Stop()
		<-heard
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s, interrupted, ended with %v, want exit code 0", name, err)
		}
	})
}

// checkServes asks the address in "NAME is ready: URL" who is there.
func checkServes(ctx context.Context, t *testing.T, line string) {
	t.Helper()
	name, url, found := strings.Cut(line, " is ready: ")
	if !found {
		t.Fatalf("a copy printed %q, want NAME is ready: URL", line)
	}
	other := map[string]string{"left": "right", "right": "left"}[name]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(body); !strings.Contains(text, "here: "+name) || !strings.Contains(text, other+"@") {
		t.Errorf("%s serves %q, want it to name itself and %s", name, text, other)
	}
}

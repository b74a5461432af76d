package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// buildTimeout bounds a build of cmd/convoke with an empty build cache.
const buildTimeout = 5 * time.Minute

// binary builds cmd/convoke, once in a test run. CONVOKE_BINARY in the environment names a program to
// use instead: a release, or one built with the race detector.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("CONVOKE_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), buildTimeout)
	defer cancel()
	root, err := repository(ctx)
	if err != nil {
		return "", err
	}
	binaryDir, err = os.MkdirTemp("", "convoke-integration-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(binaryDir, "convoke")
	return path, build(ctx, root, path)
})

// binaryDir is where the built program lies, "" before it is built.
var binaryDir string

// RemoveBinary removes the built program; for the end of TestMain.
func RemoveBinary() {
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
}

// BuildCommit builds cmd/convoke as it was at a commit and returns the program, which lasts as long as the test. Where the history is
// not at hand, as in a shallow clone, the test is skipped.
func BuildCommit(t testing.TB, commit string) (program string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	root, err := repository(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	archive, source := filepath.Join(dir, "source.tar"), filepath.Join(dir, "source")
	if out, err := exec.CommandContext(ctx, "git", "-C", root, "archive", "-o", archive, commit).CombinedOutput(); err != nil {
		t.Skipf("commit %s is not at hand: %v: %s", commit, err, out)
	}
	if err := os.Mkdir(source, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, "tar", "-xf", archive, "-C", source).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	program = filepath.Join(dir, "convoke")
	if err := build(ctx, source, program); err != nil {
		t.Fatalf("commit %s: %v", commit, err)
	}
	return program
}

// repository returns the directory of the module above that of these tests.
func repository(ctx context.Context) (string, error) {
	gomod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(filepath.Dir(strings.TrimSpace(string(gomod)))), nil
}

// build builds cmd/convoke of a source tree into a file.
func build(ctx context.Context, root, path string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-C", root, "-buildvcs=false", "-o", path, "./cmd/convoke").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build cmd/convoke: %w\n%s", err, out)
	}
	return nil
}

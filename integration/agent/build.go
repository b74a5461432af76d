package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// buildTimeout bounds a build with an empty build cache.
const buildTimeout = 5 * time.Minute

// binary builds convoke with all its connectors, once in a test run. CONVOKE_BINARY in the environment names a program to
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
	return path, build(ctx, filepath.Join(root, "connector", "hashicorp"), "./cmd/convoke-hashicorp", path)
})

// Binary returns the path of the program that agents run, for tests that run it themselves.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// binaryDir is where the built program lies, "" before it is built.
var binaryDir string

// RemoveBinary removes the built program; for the end of TestMain.
func RemoveBinary() {
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
}

// BuildCommit returns cmd/convoke as it was at a commit; it is built once and kept in .cache. Where the history is not at hand, as
// in a shallow clone, the test is skipped.
func BuildCommit(t testing.TB, commit string) (program string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildTimeout)
	defer cancel()
	root, err := repository(ctx)
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(root, ".cache", "convoke-"+commit)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	source := archive(ctx, t, root, commit)
	built := filepath.Join(source, "convoke")
	if err := build(ctx, source, "./cmd/convoke", built); err != nil {
		t.Fatalf("commit %s: %v", commit, err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(program), 0o755), move(built, program)); err != nil {
		t.Fatal(err)
	}
	return program
}

// archive returns a directory with the tree of a commit.
func archive(ctx context.Context, t testing.TB, root, commit string) (source string) {
	t.Helper()
	source = t.TempDir()
	tar := filepath.Join(source, "source.tar")
	if out, err := exec.CommandContext(ctx, "git", "-C", root, "archive", "-o", tar, commit).CombinedOutput(); err != nil {
		t.Skipf("commit %s is not at hand: %v: %s", commit, err, out)
	}
	if out, err := exec.CommandContext(ctx, "tar", "-xf", tar, "-C", source).CombinedOutput(); err != nil {
		t.Fatalf("unpack commit %s: %v: %s", commit, err, out)
	}
	return source
}

// move moves a program, to another file system too. No reader ever sees half of it.
func move(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	half := fmt.Sprintf("%s.%d", to, os.Getpid())
	if err := os.WriteFile(half, b, 0o755); err != nil {
		return err
	}
	return os.Rename(half, to)
}

// repository returns the directory of the module above that of these tests.
func repository(ctx context.Context) (string, error) {
	gomod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(filepath.Dir(strings.TrimSpace(string(gomod)))), nil
}

// build builds a program of the module in a directory into a file.
func build(ctx context.Context, dir, program, path string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-C", dir, "-buildvcs=false", "-o", path, program).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return nil
}

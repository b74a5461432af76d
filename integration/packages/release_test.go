// Package packages installs what a release consists of, as far as one machine can: it is built from a clone of the last commit.
package packages

import (
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/goconvoke/convoke/integration/lab"
)

// The programs for all platforms are compiled with an empty build cache.
const releaseTimeout = 20 * time.Minute

// release is what the command release made in a clone.
type release struct {
	dir  string // of what is published
	work string
	sums string
	err  error
}

// allPlatforms are those of a release; PLATFORMS in the environment names fewer, for a run of a few minutes less.
const allPlatforms = "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64 freebsd/amd64"

func platforms() []string { return strings.Fields(cmp.Or(os.Getenv("PLATFORMS"), allPlatforms)) }

// tool returns a command that the environment names.
func tool(t *testing.T, variable string) []string {
	t.Helper()
	command := strings.Fields(os.Getenv(variable))
	if len(command) == 0 {
		lab.Missing(t, "%s is not set; make packages sets it", variable)
	}
	return command
}

// program skips the test where a program is not installed.
func program(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		lab.Missing(t, "%s (package %s): %v", name, pkg, err)
	}
	return path
}

// asRoot skips the test for users who may not change their root directory.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		lab.Missing(t, "the rights of root")
	}
}

var (
	first = sync.OnceValue(func() release { return newRelease("first", nil) })
	// The second is another clone, made by a user with other habits, some seconds later.
	second = sync.OnceValue(func() release {
		return newRelease("the second one", []string{"TZ=Asia/Kolkata", "LC_ALL=C", "HOME=" + os.TempDir()})
	})
	releasesDir string

	// commit is the one that is released, whatever is committed meanwhile.
	commit = sync.OnceValues(func() (string, error) {
		head, err := output(context.Background(), ".", nil, "git", "rev-parse", "HEAD")
		return strings.TrimSpace(head), err
	})
)

// firstRelease returns the release that most tests look at.
func firstRelease(t *testing.T) release {
	t.Helper()
	tool(t, "NFPM")
	program(t, "git", "git")
	r := first()
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

// newRelease makes a release in a clone.
func newRelease(name string, env []string) release {
	ctx, cancel := context.WithTimeout(context.Background(), releaseTimeout)
	defer cancel()
	clone := filepath.Join(releasesDir, name)
	cache, err := output(ctx, ".", nil, "go", "env", "GOCACHE")
	if err != nil {
		return release{err: err}
	}
	modules, err := output(ctx, ".", nil, "go", "env", "GOMODCACHE")
	if err != nil {
		return release{err: err}
	}
	head, err := commit()
	if err != nil {
		return release{err: err}
	}
	if _, err := output(ctx, ".", nil, "git", "clone", "--quiet", "../..", clone); err != nil {
		return release{err: err}
	}
	if _, err := output(ctx, clone, nil, "git", "checkout", "--quiet", "--detach", head); err != nil {
		return release{err: err}
	}
	env = append(env, "GOCACHE="+strings.TrimSpace(cache), "GOMODCACHE="+strings.TrimSpace(modules))
	if _, err := output(ctx, clone, env, "go", "run", "./packaging/release", "-out", "dist", "-nfpm", os.Getenv("NFPM"), "-platforms", strings.Join(platforms(), " ")); err != nil {
		return release{err: err}
	}
	r := release{dir: filepath.Join(clone, "dist")}
	r.work = filepath.Join(r.dir, "work")
	sums, err := os.ReadFile(filepath.Join(r.dir, "SHA256SUMS"))
	r.sums, r.err = string(sums), err
	return r
}

// output runs a command in a directory and returns what it printed on stdout.
func output(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // "go run" does not end what it runs
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", cmd, err, out, &stderr)
	}
	return string(out), nil
}

// mustRun runs a command and returns what it printed on stdout.
func mustRun(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := output(ctx, ".", env, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// one returns the only file of a release that matches a pattern.
func (r release) one(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(r.dir, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %s: %v, %v; want one", pattern, files, err)
	}
	return files[0]
}

// native returns the program for this machine.
func (r release) native(t *testing.T) string {
	t.Helper()
	path := filepath.Join(r.work, runtime.GOOS+"_"+runtime.GOARCH, "convoke")
	if _, err := os.Stat(path); err != nil {
		lab.Missing(t, "a program for this machine: %v", err)
	}
	return path
}

func TestTwoReleasesOfOneCommitAreTheSameBytes(t *testing.T) {
	a, b := firstRelease(t), second()
	if b.err != nil {
		t.Fatal(b.err)
	}
	if d := gocmp.Diff(a.sums, b.sums); d != "" {
		t.Errorf("checksums (-first +second):\n%s", d)
	}
	files := strings.Split(strings.TrimSpace(a.sums), "\n")
	want := 1 // the chart
	for _, platform := range platforms() {
		want += 2 // archive and components
		if strings.HasPrefix(platform, "linux/") {
			want += 3 // packages
		}
	}
	if len(files) != want {
		t.Errorf("%d files are published, want %d:\n%s", len(files), want, a.sums)
	}
	cmd := exec.CommandContext(t.Context(), program(t, "sha256sum", "coreutils"), "--check", "--strict", "SHA256SUMS")
	cmd.Dir = a.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
}

func TestProgramsReportTheirBuild(t *testing.T) {
	r := firstRelease(t)
	head, err := commit()
	if err != nil {
		t.Fatal(err)
	}
	archive := r.one(t, fmt.Sprintf("convoke_*_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH))
	dir := t.TempDir()
	mustRun(t, nil, "tar", "-xzf", archive, "-C", dir, "--strip-components=1")
	got := mustRun(t, nil, filepath.Join(dir, "convoke"), "--version")
	if !strings.HasPrefix(got, "convoke v") || !strings.Contains(got, " commit "+head[:12]+" go1.") || strings.Contains(got, "modified") {
		t.Errorf("--version = %q, want version, commit %s and Go's version", got, head[:12])
	}
	for _, name := range []string{"LICENSE", "man1/convoke-agent.1", "completions/convoke.bash", "convoke.service", "topology.yaml.example"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("the archive lacks %s: %v", name, err)
		}
	}
}

func TestComponentsAreTheModulesInTheProgram(t *testing.T) {
	r := firstRelease(t)
	platform := strings.ReplaceAll(platforms()[0], "/", "_")
	info, err := buildinfo.ReadFile(filepath.Join(r.work, platform, "convoke"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{info.Main.Path: info.Main.Version, "std": strings.TrimPrefix(info.GoVersion, "go")}
	for _, m := range info.Deps {
		want[m.Path] = m.Version
	}
	data, err := os.ReadFile(r.one(t, "convoke_*_"+platform+".spdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		SPDXVersion string
		Packages    []struct{ SPDXID, Name, VersionInfo string }
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	got, ids := make(map[string]string), make(map[string]bool)
	for _, p := range doc.Packages {
		got[p.Name] = p.VersionInfo
		if ids[p.SPDXID] {
			t.Errorf("two packages have the ID %s", p.SPDXID)
		}
		ids[p.SPDXID] = true
	}
	if d := gocmp.Diff(want, got); d != "" || doc.SPDXVersion != "SPDX-2.3" {
		t.Errorf("version %s, components (-program +document):\n%s", doc.SPDXVersion, d)
	}
}

package packages

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// images runs buildah with a store of its own.
type images struct {
	t       *testing.T
	program string
	store   []string
}

func (i images) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, i.program, append(i.store[:len(i.store):len(i.store)], args...)...)
}

func (i images) run(args ...string) string {
	i.t.Helper()
	return strings.TrimSpace(mustRun(i.t, nil, i.program, append(i.store[:len(i.store):len(i.store)], args...)...))
}

// The image holds nothing but the program, runs it as a user without rights, and its commands find its agent.
func TestTheImageRunsAnAgent(t *testing.T) {
	r := firstRelease(t)
	r.native(t)
	asRoot(t)
	dir := t.TempDir()
	b := images{t, program(t, "buildah", "buildah"), []string{"--storage-driver", "vfs", "--root", filepath.Join(dir, "store"), "--runroot", filepath.Join(dir, "run")}}
	b.run("bud", "--isolation", "chroot", "--build-arg", "TARGETARCH="+runtime.GOARCH, "-t", "convoke:test", filepath.Join(r.work, "image"))
	const format = "{{.OCIv1.Config.User}} {{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}"
	if got, want := b.run("inspect", "--type", "image", "--format", format, "convoke:test"),
		"65532:65532 [/usr/bin/convoke] [agent -c /etc/convoke/topology.yaml]"; got != want {
		t.Errorf("the image runs %s, want %s", got, want)
	}
	config := filepath.Join(dir, "etc")
	if err := os.MkdirAll(config, 0o755); err != nil {
		t.Fatal(err)
	}
	const file = "cluster: lab\nnode: {name: a, listen: '127.0.0.1:0'}\ntopologies: {none: {strategy: static, config: {hosts: ['127.0.0.1:1']}}}\n"
	if err := os.WriteFile(filepath.Join(config, "topology.yaml"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	container := b.run("from", "--pull-never", "convoke:test")
	defer b.run("rm", container)
	inside := func(args ...string) []string {
		return append([]string{"run", "--isolation", "chroot", "-v", config + ":/etc/convoke:ro", container, "--", "/usr/bin/convoke"}, args...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	agent := b.command(ctx, inside("agent", "-c", "/etc/convoke/topology.yaml")...)
	var log bytes.Buffer
	agent.Stdout, agent.Stderr = &log, &log
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	ask := func(name string) (string, error) {
		out, err := b.command(ctx, inside(name, "-c", "/etc/convoke/topology.yaml")...).CombinedOutput()
		return string(out), err
	}
	status, err := ask("status")
	for err != nil && ctx.Err() == nil {
		status, err = ask("status")
	}
	if !strings.Contains(status, "cluster        lab") {
		t.Errorf("status = %s", status)
	}
	if out, err := ask("leave"); err != nil {
		t.Errorf("leave: %v\n%s", err, out)
	}
	if err := agent.Wait(); err != nil {
		t.Errorf("the agent ended: %v\n%s", err, &log)
	}
}

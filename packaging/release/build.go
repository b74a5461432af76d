package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// program is convoke for one platform.
type program struct {
	os, arch string
	path     string
	info     *buildinfo.BuildInfo
	version  string    // of the module: a tag, or one made of the commit
	time     time.Time // of the commit
}

// build compiles the program. Its version, commit and components are read from the program itself, so that what is published
// beside it cannot differ from it.
func (r *release) build(platform string) (program, error) {
	system, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return program{}, errors.New("want GOOS/GOARCH")
	}
	p := program{os: system, arch: arch, path: filepath.Join(r.work, system+"_"+arch, "convoke")}
	if system == "windows" {
		p.path += ".exe"
	}
	err := run([]string{"GOOS=" + system, "GOARCH=" + arch, "CGO_ENABLED=0", "GOWORK=off"},
		"go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", p.path, "./cmd/convoke")
	if err != nil {
		return p, err
	}
	if p.info, err = buildinfo.ReadFile(p.path); err != nil {
		return p, err
	}
	p.version = p.info.Main.Version
	for _, s := range p.info.Settings {
		if s.Key == "vcs.time" {
			p.time, err = time.Parse(time.RFC3339, s.Value)
		}
	}
	if err == nil && p.time.IsZero() {
		err = errors.New("the program has no commit: run it in a clone of the repository, not in a worktree, and with git")
	}
	return p, err
}

// run runs a command with more environment variables; its output is added to its error.
func run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// name is the beginning of the names of what belongs to the program.
func (p program) name() string { return fmt.Sprintf("convoke_%s_%s_%s", p.number(), p.os, p.arch) }

// number is the version without the v.
func (p program) number() string { return strings.TrimPrefix(p.version, "v") }

// writeDocs writes manual pages and completions.
func (r *release) writeDocs() error {
	p := r.built[0]
	return run(nil, "go", "run", "github.com/goconvoke/convoke/packaging/clidocs", r.docs(), p.version, fmt.Sprint(p.time.Unix()))
}

func (r *release) docs() string { return filepath.Join(r.work, "docs") }

package packages

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
)

// chroot makes a small Debian and returns its directory; it is made once and kept in .cache.
func chroot(t *testing.T) string {
	t.Helper()
	asRoot(t)
	script, err := filepath.Abs("chroot.sh")
	if err != nil {
		t.Fatal(err)
	}
	program(t, "debootstrap", "debootstrap")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "root")
	if _, err := output(ctx, ".", nil, "bash", script, dir); err != nil {
		lab.Missing(t, "a Debian to install into: %v", err)
	}
	return dir
}

func TestTheDebInstallsRunsAndGoes(t *testing.T) {
	r := firstRelease(t)
	r.native(t)
	root := chroot(t)
	deb := r.one(t, "convoke_*_linux_"+strings.TrimSpace(mustRun(t, nil, "dpkg", "--print-architecture"))+".deb")
	if err := os.Link(deb, filepath.Join(root, "convoke.deb")); err != nil {
		mustRun(t, nil, "cp", deb, filepath.Join(root, "convoke.deb"))
	}
	in := func(args ...string) string { return mustRun(t, nil, "chroot", append([]string{root}, args...)...) }
	in("dpkg", "-i", "/convoke.deb")
	if got, want := in("/usr/bin/convoke", "--version"), mustRun(t, nil, r.native(t), "--version"); got != want {
		t.Errorf("the installed program is %q, want %q", got, want)
	}
	if got := in("convoke", "check", "/usr/share/doc/convoke/topology.yaml.example"); !strings.Contains(got, "topology.yaml.example: ok (") {
		t.Errorf("check of the example = %q", got)
	}
	for _, file := range []string{
		"lib/systemd/system/convoke.service", "usr/share/man/man1/convoke.1", "usr/share/man/man1/convoke-agent.1", "usr/share/doc/convoke/copyright",
		"usr/share/zsh/vendor-completions/_convoke", "usr/share/fish/vendor_completions.d/convoke.fish",
	} {
		if info, err := os.Stat(filepath.Join(root, file)); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("file %s: %v, %v; want mode 0644", file, info, err)
		}
	}
	if got := in("bash", "-c", ". /usr/share/bash-completion/completions/convoke && complete -p convoke"); !strings.Contains(got, "__start_convoke") {
		t.Errorf("bash completes convoke by %q", got)
	}
	in("dpkg", "-P", "convoke")
	if left := in("sh", "-c", "find /usr /lib /etc -name '*convoke*'"); left != "" {
		t.Errorf("purging leaves %s", left)
	}
}

func TestTheUnitIsWithoutAWarning(t *testing.T) {
	r := firstRelease(t)
	analyze := program(t, "systemd-analyze", "systemd")
	program(t, "man", "man-db")
	unit := unitFor(t, r.native(t), "")
	verify := func(file string) string {
		cmd := exec.CommandContext(t.Context(), analyze, "verify", "--man=yes", file)
		cmd.Env = append(os.Environ(), "MANPATH="+manuals(t, r))
		out, err := cmd.CombinedOutput() // it exits with 0 on an unknown key too
		if err != nil {
			return string(out) + err.Error()
		}
		return string(out)
	}
	if got := verify(unit); got != "" {
		t.Errorf("systemd-analyze verify:\n%s", got)
	}
	if got := verify(unitFor(t, r.native(t), "NoSuchKey=yes\n")); !strings.Contains(got, "NoSuchKey") {
		t.Errorf("a unit with an unknown key is verified with %q: this test finds nothing", got)
	}
	if got := mustRun(t, nil, analyze, "security", "--offline=true", "--threshold=20", "--no-pager", unit); !strings.Contains(got, "exposure level") {
		t.Errorf("systemd-analyze security: %s", got)
	}
}

// unitFor returns a copy of the unit for a program that is not installed, with another line in its section Service.
func unitFor(t *testing.T, program, line string) string {
	t.Helper()
	text, err := os.ReadFile("../../packaging/systemd/convoke.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := strings.Replace(string(text), "ExecStart=/usr/bin/convoke ", line+"ExecStart="+strings.ReplaceAll(program, " ", `\x20`)+" ", 1)
	file := filepath.Join(t.TempDir(), "convoke.service")
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// manuals returns a directory for MANPATH.
func manuals(t *testing.T, r release) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(r.work, "docs", "man1"), filepath.Join(dir, "man1")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestManualPagesHaveNoWarning(t *testing.T) {
	r := firstRelease(t)
	man := program(t, "man", "man-db")
	program(t, "groff", "groff-base")
	pages, err := filepath.Glob(filepath.Join(r.work, "docs", "man1", "*.1"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("pages %v, %v", pages, err)
	}
	for _, page := range pages {
		cmd := exec.CommandContext(t.Context(), man, "--warnings", "-E", "UTF-8", "-l", page)
		cmd.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		text, err := cmd.Output()
		if err != nil || stderr.String() != "" || !strings.Contains(string(text), "SYNOPSIS") {
			t.Errorf("man %s: %v\n%s", filepath.Base(page), err, &stderr)
		}
	}
}

func TestDirectoriesOfPackagesCanBeEntered(t *testing.T) {
	r := firstRelease(t)
	for _, list := range []string{
		mustRun(t, nil, "tar", "-tvzf", r.one(t, "convoke_*_linux_amd64.apk"), "--ignore-zeros"),
		mustRun(t, nil, program(t, "dpkg-deb", "dpkg"), "--contents", r.one(t, "convoke_*_linux_amd64.deb")),
	} {
		for line := range strings.Lines(list) {
			if strings.HasPrefix(line, "d") && !strings.HasPrefix(line, "drwxr-xr-x") {
				t.Errorf("a directory that users cannot enter: %s", line)
			}
		}
	}
}

func TestTheApkAndTheRpmHoldTheProgramAndNoUnitWhereThereIsNoSystemd(t *testing.T) {
	r := firstRelease(t)
	list := mustRun(t, nil, "tar", "-tzf", r.one(t, "convoke_*_linux_amd64.apk"), "--ignore-zeros")
	if !strings.Contains(list, "usr/bin/convoke\n") || !strings.Contains(list, "usr/share/zsh/site-functions/_convoke\n") || strings.Contains(list, "systemd") {
		t.Errorf("the apk holds:\n%s", list)
	}
	rpm := program(t, "rpm", "rpm")
	list = mustRun(t, nil, rpm, "-qlp", "--nosignature", r.one(t, "convoke_*_linux_amd64.rpm"))
	if !strings.Contains(list, "/usr/bin/convoke\n") || !strings.Contains(list, "/usr/lib/systemd/system/convoke.service\n") {
		t.Errorf("the rpm holds:\n%s", list)
	}
}

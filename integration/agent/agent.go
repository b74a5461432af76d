// Package agent runs the program cmd/convoke in the hosts of a lab and reads what it prints.
package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/goconvoke/convoke/integration/lab"
)

const (
	stopTimeout   = 20 * time.Second // from SIGTERM to the end of the process
	outputTimeout = 20 * time.Second // of a command that asks no agent
)

// Spec is the configuration of one agent with one topology.
type Spec struct {
	Name      string // of the node
	Cluster   string // cluster ID
	Listen    string // host:port
	Strategy  string
	Config    string // of the strategy: YAML in one line
	Connector string
	Expect    int    // nodes, this one included
	DataDir   string // where the node keeps what outlives it; "": nowhere
	Security  string // further lines of the section node: keys or tls; NAME stands for the name
	Rejoin    bool   // start it with --rejoin; not part of the file
	Program   string // to run instead of the one that is built; not part of the file
}

var file = template.Must(template.New("topology").Parse(`cluster: {{.Cluster}}
node:
  name: {{.Name}}
  listen: "{{.Listen}}"
{{- with .DataDir}}
  data_dir: "{{.}}"
{{- end}}
{{- with .Security}}
  {{.}}
{{- end}}
topologies:
  lan:
    strategy: {{.Strategy}}
    config: {{.Config}}
    connector: {{.Connector}}
    expect: {{.Expect}}
`))

// write makes the file of a configuration.
func (s Spec) write(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), s.Name+".yaml")
	s.writeTo(t, path)
	return path
}

// writeTo writes the configuration to a file, in one step for its readers.
func (s Spec) writeTo(t testing.TB, path string) {
	t.Helper()
	s.Security = strings.ReplaceAll(s.Security, "NAME", s.Name)
	var text strings.Builder
	err := file.Execute(&text, s)
	if err == nil {
		err = os.WriteFile(path+".new", []byte(text.String()), 0o644)
	}
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// program returns what an agent runs.
func (s Spec) program() (string, error) {
	if s.Program != "" {
		return s.Program, nil
	}
	return binary()
}

// Output runs a command of the program on a configuration, outside of any lab, and returns what it prints.
func Output(t testing.TB, s Spec, command string, flags ...string) string {
	t.Helper()
	program, err := s.program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), outputTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, program, append([]string{command, "-c", s.write(t)}, flags...)...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("convoke %s: %v: %s", command, err, stderr.String())
	}
	return string(out)
}

// Agent is one agent in a host. Its methods may be called from any goroutine, except those that take a testing.TB and those that
// start or end its process.
type Agent struct {
	Spec
	timeline

	lab   *lab.Lab
	host  int
	path  string // of its file
	child *lab.Child
}

// Start runs an agent in host i until the test ends. If the test fails, the end of its log is shown; with -artifacts all its output
// is kept.
func Start(t testing.TB, l *lab.Lab, i int, s Spec) *Agent {
	t.Helper()
	a := &Agent{Spec: s, path: s.write(t), lab: l, host: i}
	a.changed = make(chan struct{})
	all, err := os.OpenFile(filepath.Join(t.ArtifactDir(), s.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	a.all = all
	if err := a.run(); err != nil {
		_ = all.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Kill()
		_ = all.Close()
		if t.Failed() {
			t.Logf("%s, the end of its log:\n%s", s.Name, strings.Join(a.Log(), "\n"))
		}
	})
	return a
}

// Restart runs an agent whose process has ended again, with the same file. Its earlier output is kept, but for its member list.
func (a *Agent) Restart(t testing.TB) {
	t.Helper()
	a.forgetMembers()
	if err := a.run(); err != nil {
		t.Fatal(err)
	}
}

// run starts the process.
func (a *Agent) run() error {
	program, err := a.program()
	if err != nil {
		return err
	}
	args := []string{"agent", "-c", a.path, "-o", "json"}
	if a.Rejoin {
		args = append(args, "--rejoin")
	}
	a.child, err = a.lab.Start(a.host, nil, a.read, a.note, program, args...)
	return err
}

// Reload writes another configuration to the file of a running agent and sends SIGHUP.
func (a *Agent) Reload(t testing.TB, s Spec) {
	t.Helper()
	a.Spec = s
	s.writeTo(t, a.path)
	if err := a.child.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// PID returns the number of its process.
func (a *Agent) PID() int { return a.child.PID() }

// WaitMembers waits until the agent's member list is exactly the given names.
func (a *Agent) WaitMembers(ctx context.Context, names ...string) error {
	want := slices.Sorted(slices.Values(names))
	for {
		got, changed := a.now()
		if slices.Equal(got, want) {
			return nil
		}
		select {
		case <-changed:
		case <-a.child.Done():
			return fmt.Errorf("%s has ended: %v; it saw %v, want %v", a.Name, a.child.Wait(ctx), got, want)
		case <-ctx.Done():
			return fmt.Errorf("%s sees %v, want %v: %w", a.Name, got, want, context.Cause(ctx))
		}
	}
}

// WaitStarted waits until the agent has printed its first member list; from then on it takes commands.
func (a *Agent) WaitStarted(ctx context.Context) error {
	got, changed := a.now()
	if got != nil {
		return nil
	}
	select {
	case <-changed:
		return nil
	case <-a.child.Done():
		return fmt.Errorf("%s has ended: %v", a.Name, a.child.Wait(ctx))
	case <-ctx.Done():
		return fmt.Errorf("%s did not start: %w", a.Name, ctx.Err())
	}
}

// Running reports whether the process has not ended.
func (a *Agent) Running() bool {
	select {
	case <-a.child.Done():
		return false
	default:
		return true
	}
}

// ExitCode waits until the process has ended and returns its exit code, -1 if a signal ended it.
func (a *Agent) ExitCode(ctx context.Context) (int, error) {
	err := a.child.Wait(ctx)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("end of %s: %w", a.Name, err)
	}
	return 0, nil
}

// Kill ends the process without a leave, as kill -9 does.
func (a *Agent) Kill() { a.child.Kill() }

// Pause freezes the process until [Agent.Resume].
func (a *Agent) Pause() error { return a.child.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (a *Agent) Resume() error { return a.child.Signal(syscall.SIGCONT) }

// Terminate asks the process to leave its cluster and end, as Stop does, and does not wait.
func (a *Agent) Terminate() error { return a.child.Signal(syscall.SIGTERM) }

// Stop asks the process to leave its cluster and waits until it has ended. An exit code other
// than 0 is an error.
func (a *Agent) Stop() error {
	if err := a.child.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop %s: %w", a.Name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := a.child.Wait(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", a.Name, err)
	}
	return nil
}

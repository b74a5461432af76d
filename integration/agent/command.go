package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// commandTimeout bounds a command: it gives up by itself after 12 s.
const commandTimeout = 20 * time.Second

// Do is [Agent.Ask], whose failure is the test's.
func (a *Agent) Do(t testing.TB, command ...string) string {
	t.Helper()
	out, err := a.Ask(t.Context(), command...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Ask runs a command of the program, such as shared set KEY VALUE, that asks the running agent, and returns what it prints. Neither
// the command nor the socket is in the host's network. The agent must have a data directory: without one
// its socket is where agents of that name in other labs have theirs.
func (a *Agent) Ask(ctx context.Context, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	out, err := a.command(ctx, command)
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("convoke %s at %s: %w", strings.Join(command, " "), a.Name, ctx.Err())
	}
	return out, err
}

// Watch is [Agent.Ask] for a command that goes on until it is interrupted, which happens when ctx is done.
func (a *Agent) Watch(ctx context.Context, command ...string) (string, error) {
	return a.command(ctx, command)
}

// command runs a command until it ends, or has been interrupted because ctx is done.
func (a *Agent) command(ctx context.Context, command []string) (string, error) {
	if a.DataDir == "" {
		return "", fmt.Errorf("%s has no data directory, so its socket may be another lab's", a.Name)
	}
	program, err := a.program()
	if err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, program, append(slices.Clone(command), "-c", a.path)...)
	var out, stderr bytes.Buffer
	c.Stdout, c.Stderr = &out, &stderr
	c.Env = append([]string{"GORACE=atexit_sleep_ms=0"}, os.Environ()...) // built with -race, a program ends a second late
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = stopTimeout
	err = c.Run()
	if ctx.Err() != nil && c.ProcessState != nil && c.ProcessState.Success() {
		err = nil // interrupted, it stopped
	}
	if err != nil {
		err = fmt.Errorf("convoke %s at %s: %w: %s", strings.Join(command, " "), a.Name, errors.Join(err, ctx.Err()), bytes.TrimSpace(stderr.Bytes()))
	}
	return out.String(), err
}

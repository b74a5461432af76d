package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	maxOutput = 4 << 20 // bytes
	maxTail   = 1 << 10 // bytes of standard error that an error quotes

	// outputGrace is how long the output may stay open when the program has ended and its process
	// group was killed: only a process that left the group can hold it.
	outputGrace = 500 * time.Millisecond
)

// program is what to run.
type program struct {
	argv []string
	dir  string
	env  []string
}

// runProgram runs a program to its end and returns what it printed. When ctx is done, or the output is too large, it
// kills the process group of the program. It returns when the program is gone, with what it left in that group.
func runProgram(ctx context.Context, p program) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &boundedOutput{full: func() { cancel(errTooMuch) }}
	tail := new(outputTail)
	cmd := exec.Command(p.argv[0], p.argv[1:]...) //nolint:gosec,noctx // it is the operator's; waitAndKillGroup honours ctx
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.Stdout, cmd.Stderr = out, tail // standard input is empty
	cmd.WaitDelay = outputGrace
	ownGroup(cmd)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := cmd.Start(); err != nil {
		return nil, withoutProgramName(err)
	}
	err := waitAndKillGroup(ctx, cmd)
	switch {
	case out.over:
		return nil, errTooMuch
	case err == nil || errors.Is(err, exec.ErrWaitDelay): // what a detached process may still print is not a part of the answer
		return out.kept.Bytes(), nil
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it had not ended at the timeout and was killed%s: %w", tail, ctx.Err())
	}
	return nil, fmt.Errorf("%w%s", err, tail)
}

var errTooMuch = fmt.Errorf("it printed more than %d bytes and was killed", maxOutput)

// withoutProgramName drops the name of the program from an error, which its reader knows already.
func withoutProgramName(err error) error {
	var not *exec.Error
	if errors.As(err, &not) {
		return fmt.Errorf("%w; give the full path, or check PATH", not.Err)
	}
	return err
}

// boundedOutput keeps the output up to its bound. It belongs to one goroutine until the program has ended.
// The buffer is not embedded: its ReadFrom would pass by the bound.
type boundedOutput struct {
	kept bytes.Buffer
	full func() // called when the bound is passed
	over bool
}

// Write keeps p, or fails when that is too much.
func (b *boundedOutput) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > maxOutput {
		b.over = true
		b.full()
		return 0, errTooMuch
	}
	return b.kept.Write(p)
}

// outputTail keeps the end of what is written to it. It belongs to one goroutine until the program has ended.
type outputTail struct {
	end []byte
	cut bool
}

// Write keeps the end of p.
func (t *outputTail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > maxTail {
		p, t.cut = p[len(p)-maxTail:], true
	}
	if over := len(t.end) + len(p) - maxTail; over > 0 {
		t.end, t.cut = t.end[:copy(t.end, t.end[over:])], true
	}
	t.end = append(t.end, p...)
	return n, nil
}

// String returns the end as an addition to an error: on one line, with nothing in it that can harm a log.
func (t *outputTail) String() string {
	text := strings.TrimSpace(strings.ToValidUTF8(string(t.end), ""))
	switch {
	case text == "":
		return ""
	case t.cut:
		return fmt.Sprintf("; the end of its standard error: …%q", text)
	}
	return fmt.Sprintf("; standard error: %q", text)
}

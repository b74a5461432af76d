package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// maxLine bounds a line of output of a child, in bytes; what is longer ends the reading.
const maxLine = 1 << 20

// Child is a process in a host. It dies with the test process, however that ends.
type Child struct {
	cmd    *exec.Cmd
	cancel context.CancelFunc
	done   chan struct{} // closed when the process has ended and its output is read
	err    error         // of the process; valid after done
}

// Start runs a program in host i and gives each line of its output and of its errors to a
// function (nil: dropped). Each function is called from one goroutine, and never after Done is
// closed. env holds "key=value" additions to the environment.
func (l *Lab) Start(i int, env []string, stdout, stderr func(string), program string, args ...string) (*Child, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &Child{cmd: l.Command(ctx, i, program, args...), cancel: cancel, done: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go c.run(stdout, stderr, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s in host %d: %w", program, i, err)
	}
	return c, nil
}

// Probe runs a probe of this test binary in host i, see [Main].
func (l *Lab) Probe(i int, stdout func(string), name string, args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	note := func(line string) { fmt.Fprintf(os.Stderr, "%s: %s\n", l.Host(i), line) }
	return l.Start(i, []string{probeEnv + "=" + name}, stdout, note, self, args...)
}

// Done is closed when the process has ended.
func (c *Child) Done() <-chan struct{} { return c.done }

// Wait returns how the process ended, or the context's error if it has not.
func (c *Child) Wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PID returns the number of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Signal sends a signal to the process.
func (c *Child) Signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// Kill ends the process at once and waits for it.
func (c *Child) Kill() {
	c.cancel()
	<-c.done
}

// run starts the process and reads it to its end. The kernel kills the child when the thread that
// started it ends, so the thread is kept until then.
func (c *Child) run(stdout, stderr func(string), started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer c.cancel()
	defer close(c.done)
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		started <- err
		return
	}
	errs, err := c.cmd.StderrPipe()
	if err != nil {
		started <- err
		return
	}
	err = c.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() { eachLine(out, stdout) })
	wg.Go(func() { eachLine(errs, stderr) })
	wg.Wait()
	c.err = c.cmd.Wait()
}

func eachLine(r io.Reader, f func(string)) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxLine)
	for s.Scan() {
		if f != nil {
			f(s.Text())
		}
	}
	_, _ = io.Copy(io.Discard, r) // an overlong line must not block the child
}

package command

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/goconvoke/convoke/ops"
)

// child is a command that runs for a term, with the processes that it starts.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
	err   error         // read after ended
}

// pipeWait is how long the output of a command that has ended is waited for, if a process that it left behind holds it open.
const pipeWait = time.Second

// startChild starts the command of an elector.
func startChild(e *elector, s ops.Term) (*child, error) {
	c := &child{cmd: exec.Command(e.run[0], e.run[1:]...), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), fmt.Sprintf("CONVOKE_TOKEN=%d", s.Token), fmt.Sprintf("CONVOKE_SHARD=%d", s.Shard))
	c.cmd.Stdout, c.cmd.Stderr, c.cmd.WaitDelay = e.out.OutOrStdout(), e.out.ErrOrStderr(), pipeWait
	setGroup(c.cmd)
	started := make(chan error)
	go func() { // owned by the term, which waits for ended
		runtime.LockOSThread() // on Linux the command is killed with the thread that started it
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(c.ended)
		c.err = c.cmd.Wait()
		c.kill() // what it left behind
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) terminate() { terminateGroup(c.cmd.Process) }

func (c *child) kill() { killGroup(c.cmd.Process) }

// exit returns how the command has ended, nil with code 0.
func (c *child) exit() error {
	var e *exec.ExitError
	switch {
	case c.err == nil || errors.Is(c.err, exec.ErrWaitDelay):
		return nil
	case errors.As(c.err, &e):
		return &childExit{exitCode(e.ProcessState)}
	}
	return failedError(c.err)
}

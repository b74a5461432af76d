package exec

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
)

// waitAndKillGroup waits until the program has ended, kills it when ctx is done before, and then kills what is left of its
// group. Until the exit status is collected the exit status the number of the process is not used again, so the
// signal reaches no other process.
func waitAndKillGroup(ctx context.Context, cmd *exec.Cmd) error {
	pid := cmd.Process.Pid
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		awaitExit(pid)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		killGroup(cmd)
		<-ended
	}
	killGroup(cmd)
	err := cmd.Wait()
	reapGroup(pid)
	return err
}

const processID = 1 // P_PID of waitid(2)

// awaitExit waits until a child has ended and leaves its exit status where it is.
func awaitExit(pid int) {
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, processID, uintptr(pid), 0, syscall.WEXITED|syscall.WNOWAIT, 0, 0)
		if errno != syscall.EINTR {
			return
		}
	}
}

// reapGroup collects the exit status of processes that were killed in a group and became children of this one: so it is
// when this process is the first of its container, where orphans go to. Otherwise there are none.
func reapGroup(group int) {
	for {
		_, err := syscall.Wait4(-group, nil, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

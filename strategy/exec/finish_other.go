//go:build !linux

package exec

import (
	"context"
	"os/exec"
)

// waitAndKillGroup waits until the program has ended, kills it when ctx is done before, and then kills what is left of its group.
func waitAndKillGroup(ctx context.Context, cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		killGroup(cmd) // the remaining processes keep the number of the group from being used again
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		killGroup(cmd)
		return <-ended
	}
}

//go:build !unix

package exec

import "os/exec"

// ownGroup does nothing: there are no process groups.
func ownGroup(*exec.Cmd) {}

// killGroup kills the program alone.
func killGroup(cmd *exec.Cmd) {
	_ = cmd.Process.Kill() // an error means that it is gone
}

package command

import (
	"os/exec"
	"syscall"
)

// setGroup gives a command a process group, so that what it starts can be ended with it, and has it killed when this process is.
func setGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

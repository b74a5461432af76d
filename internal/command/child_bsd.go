//go:build unix && !linux

package command

import (
	"os/exec"
	"syscall"
)

// setGroup gives a command a process group, so that what it starts can be ended with it. When this process is killed, it runs on.
func setGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

//go:build !unix

package command

import (
	"os"
	"os/exec"
)

// Without signals and process groups a command is ended at once, and what it started runs on.

func setGroup(*exec.Cmd) {}

func terminateGroup(p *os.Process) { _ = p.Kill() } // it may have ended

func killGroup(p *os.Process) { _ = p.Kill() } // it may have ended

func exitCode(s *os.ProcessState) int { return s.ExitCode() }

package builtin_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// execTestSource has a script that the shell runs.
func execTestSource(tb testing.TB) testSource {
	sh, err := exec.LookPath("sh")
	if err != nil {
		tb.Skip("there is no shell here:", err)
	}
	path := filepath.Join(tb.TempDir(), "peers.sh")
	script := func(text string) func() { return func() { put(tb, path, text) } }
	return testSource{
		config: fmt.Sprintf("{command: ['%s', '%s'], interval: 100ms, timeout: 2s}", sh, path),
		states: map[string]func(){
			complete: script("echo " + first + "; echo " + second),
			nothing:  script("exit 0"),
			part:     script("echo " + first + "; echo 10.0.0.2"),
			broken:   script("echo " + first + "; echo 'no rights' >&2; exit 1"),
			hang:     script("echo " + first + "; sleep 1000"),
			garbage:  script(`printf '\000\377\n'`),
		},
	}
}

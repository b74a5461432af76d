package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// runDir holds one file per living test process, named like the prefix of its namespaces and
// locked while it lives. A file that can be locked belongs to a process that died
// without cleaning up; only then are namespaces of that prefix removed.
const runDir = "/run/convoke-lab"

const netnsDir = "/run/netns" // where ip keeps named namespaces

var (
	sequence atomic.Int64
	thisRun  = sync.OnceValues(beginRun)
)

// nextName returns a lab name that no other lab on this machine has, short enough for a namespace.
func nextName() (string, error) {
	run, err := thisRun()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%d", run, sequence.Add(1)), nil
}

// beginRun picks the prefix of this process, locks its file until the process ends and removes what
// dead processes left.
func beginRun() (string, error) {
	if err := os.MkdirAll(runDir, 0o755); err != nil {
		return "", err
	}
	dir, err := lock(runDir, os.O_RDONLY, syscall.LOCK_EX) // so that no other run sweeps between create and lock
	if err != nil {
		return "", err
	}
	defer dir.Close()
	sweep()
	random := make([]byte, 3)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	run := "convoke" + hex.EncodeToString(random)
	if runFile, err = lock(filepath.Join(runDir, run), os.O_CREATE|os.O_EXCL|os.O_RDWR, syscall.LOCK_EX); err != nil {
		return "", err
	}
	return run, nil
}

// runFile keeps the lock of this run; it is closed, and so unlocked, by endRun or the process's end.
var runFile *os.File

// endRun gives the prefix back.
func endRun() {
	if runFile != nil {
		_ = os.Remove(runFile.Name())
		_ = runFile.Close()
	}
}

// lock opens a file and locks it; the lock ends with the file. Children do not inherit it.
func lock(path string, flags, how int) (*os.File, error) {
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// sweep removes the namespaces of runs that no process holds any more.
func sweep() {
	entries, err := os.ReadDir(runDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(runDir, e.Name())
		f, err := lock(path, os.O_RDWR, syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue // alive
		}
		removeNamespaces(e.Name())
		_ = os.Remove(path)
		f.Close()
	}
}

// removeNamespaces removes every namespace called prefix-something. Their cables and bridges go with them.
func removeNamespaces(prefix string) {
	entries, err := os.ReadDir(netnsDir)
	if err != nil {
		return
	}
	var b strings.Builder
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix+"-") {
			fmt.Fprintf(&b, "netns del %s\n", e.Name())
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, "ip", "-force", "-batch", "-")
	c.Stdin = strings.NewReader(b.String())
	_ = c.Run() // a left-over is swept by the next run
}

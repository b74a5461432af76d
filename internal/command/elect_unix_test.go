//go:build unix

package command

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gone waits until no process has this ID any more.
func gone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(deadline); !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH); <-tick.C {
		if time.Now().After(late) {
			t.Fatalf("process %d lives on", pid)
		}
	}
}

// stubborn prints its process ID and ignores SIGTERM.
var stubborn = []string{"sh", "-c", `trap '' TERM; echo "leads $CONVOKE_TOKEN"; echo "pid $$"; while :; do sleep 0.05; done`}

// pidOf returns the process ID that a command prints.
func pidOf(t *testing.T, p *process) int {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimPrefix(p.await("its ID", func(line string) bool { return strings.HasPrefix(line, "pid ") }), "pid "))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestElectKillsItsCommandWhenTheAgentDies(t *testing.T) {
	t.Parallel()
	agents, files := newSite(t).trio()
	p, _ := elect(t, files["a"], "billing", stubborn...)
	pid := pidOf(t, p)
	agents["a"].signal(syscall.SIGKILL)
	if code := p.exited(); code != exitFailed || !strings.Contains(p.stderr.String(), "the agent closed the connection") {
		t.Errorf("elect ends with %d: %s", code, p.stderr)
	}
	gone(t, pid)
}

func TestTheCommandOfAnElectThatIsKilledEndsToo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the death of a parent is a signal on Linux alone")
	}
	t.Parallel()
	_, files := newSite(t).trio()
	p, _ := elect(t, files["a"], "billing", stubborn...)
	pid := pidOf(t, p)
	p.signal(syscall.SIGKILL)
	gone(t, pid)
}

func TestElectKillsItsCommandBeforeTheLeaseOfAFrozenAgentIsOver(t *testing.T) {
	t.Parallel()
	agents, files := newSite(t).trio()
	p, _ := elect(t, files["a"], "billing", stubborn...)
	pid := pidOf(t, p)
	agents["a"].signal(syscall.SIGSTOP)
	began := time.Now()
	gone(t, pid)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the command lived for %v, longer than the lease of 1 s", took)
	}
	agents["a"].signal(syscall.SIGCONT)
}

package exec

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const childSubreaper = 36 // PR_SET_CHILD_SUBREAPER of prctl(2)

// The first process of a container is given the orphans of all others.
func TestNoZombieIsLeftToTheFirstProcessOfAContainer(t *testing.T) {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, childSubreaper, 1, 0); errno != 0 {
		t.Skip("this process cannot adopt orphans here:", errno)
	}
	defer func() { _, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, childSubreaper, 0, 0) }()
	for range 5 {
		if _, err := runProgram(within(t, patience), sh(`(sleep 1000 & sleep 1000 & wait) & sleep 1000 & echo a:1`)); err != nil {
			t.Error(err)
		}
		if _, err := runProgram(within(t, soon), sh(`(sleep 1000 & sleep 1000 & wait) & wait`)); err == nil {
			t.Error("want the deadline")
		}
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("children are left: %v", left)
	}
}

// A process that left the group is out of reach; it must not hold up the answer.
func TestAProcessThatLeftTheGroupDoesNotHoldUpTheAnswer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	got, err := runProgram(within(t, patience), sh(`setsid sh -c 'echo $$ >"`+file+`"; exec sleep 1000' & while ! test -s '`+file+`'; do :; done; echo a:1`))
	if err != nil || string(got) != "a:1\n" {
		t.Errorf("%q, %v", got, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Skip("setsid is missing here:", err)
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// children returns the children of this process, those that have ended too.
func children(t *testing.T) (all []string) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			all = append(all, strings.TrimSpace(string(stat)))
		}
	}
	return all
}

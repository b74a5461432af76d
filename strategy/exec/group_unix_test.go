//go:build unix

package exec

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sh returns a program for the shell.
func sh(script string) program {
	return program{argv: []string{"/bin/sh", "-c", script}, env: os.Environ()}
}

func TestNoChildIsLeftBehindAtTheDeadline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	_, err := runProgram(within(t, soon), sh(`trap "" TERM HUP INT; sleep 1000 & (sleep 1000 & echo $! >>'`+file+`'; wait) & echo $! >>'`+file+`'; wait`))
	if err == nil {
		t.Error("it ended well, want the deadline")
	}
	awaitGone(t, file)
}

func TestNoChildIsLeftBehindByAProgramThatEnds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	begin := time.Now()
	got, err := runProgram(within(t, patience), sh(`sleep 1000 & echo $! >>'`+file+`'; echo 10.0.0.1:1`))
	if err != nil || string(got) != "10.0.0.1:1\n" {
		t.Errorf("%q, %v; want the answer of a program that left a child with its output open", got, err)
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	awaitGone(t, file)
}

// awaitGone waits until the processes of a file are gone.
func awaitGone(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); exists(pid); {
			if time.Now().After(end) {
				t.Errorf("process %d is there still", pid)
				break
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

// exists reports whether there is a process; one that has ended and whose status was not collected does not count.
func exists(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err == nil {
		_, state, _ := strings.Cut(string(stat), ") ")
		return !strings.HasPrefix(state, "Z")
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

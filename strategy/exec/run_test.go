package exec

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How the test program behaves when it is run as a program of the strategy; see TestMain.
const (
	role     = "CONVOKE_TEST_ROLE"
	soon     = 300 * time.Millisecond
	patience = 10 * time.Second
)

func TestMain(m *testing.M) {
	if r := os.Getenv(role); r != "" {
		os.Exit(runRole(r))
	}
	os.Exit(m.Run())
}

// runRole is the program that the tests run.
func runRole(role string) int {
	name, arg, _ := strings.Cut(role, " ")
	switch name {
	case "print":
		_, _ = os.Stdout.WriteString(arg)
	case "fail":
		_, _ = os.Stderr.WriteString(arg)
		return 3
	case "chatter":
		_, _ = os.Stderr.WriteString(strings.Repeat("noise ", 100_000) + "the end")
		return 1
	case "flood":
		signal.Ignore(syscall.SIGPIPE)
		for line := bytes.Repeat([]byte("10.0.0.1:1\n"), 10_000); ; {
			if _, err := os.Stdout.Write(line); err != nil {
				<-time.After(time.Hour) // goes on all the same
			}
		}
	case "hang": // and make a file before
		_, _ = os.Stderr.WriteString("waiting for the database")
		_ = os.WriteFile(arg, nil, 0o600) // the test waits for it
		<-time.After(time.Hour)
	case "stdin":
		n, err := os.Stdin.Read(make([]byte, 1))
		if n > 0 || err == nil {
			return 1
		}
	}
	return 0
}

// self returns the test program in a role.
func self(t *testing.T, role string) program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return program{argv: []string{exe}, env: append(os.Environ(), "CONVOKE_TEST_ROLE="+role)}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestTheOutputCountsWhenTheProgramSucceeds(t *testing.T) {
	got, err := runProgram(within(t, patience), self(t, "print 10.0.0.1:1\n"))
	if err != nil || string(got) != "10.0.0.1:1\n" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := runProgram(within(t, patience), self(t, "print ")); err != nil || len(got) != 0 {
		t.Errorf("a program that prints nothing: %q, %v", got, err)
	}
	if _, err := runProgram(within(t, patience), self(t, "stdin")); err != nil {
		t.Errorf("a program that reads its standard input, which is empty: %v", err)
	}
}

func TestAFailureHasTheEndOfStandardError(t *testing.T) {
	got, err := runProgram(within(t, patience), self(t, "fail no \x1b[31mrights\nhere\n"))
	want := `exit status 3; standard error: "no \x1b[31mrights\nhere"`
	if got != nil || err == nil || err.Error() != want {
		t.Errorf("%q, %v, want %s", got, err, want)
	}
	_, err = runProgram(within(t, patience), self(t, "chatter"))
	if err == nil || !strings.HasSuffix(err.Error(), `the end"`) || len(err.Error()) > 2*maxTail {
		t.Errorf("%v, want the end alone", err)
	}
}

func TestAProgramThatCannotStartIsAFailureWithTheReason(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for what, p := range map[string]program{
		"a missing file":      {argv: []string{missing}},
		"a missing name":      {argv: []string{"no-such-program-of-convoke"}},
		"a directory":         {argv: []string{t.TempDir()}},
		"a missing directory": {argv: self(t, "").argv, dir: missing},
	} {
		if got, err := runProgram(within(t, patience), p); err == nil || got != nil {
			t.Errorf("%s: %q, %v; want an error", what, got, err)
		}
	}
}

// lateContext is a context whose deadline passes when the one below is canceled.
type lateContext struct{ context.Context }

// Err calls every end the deadline.
func (o lateContext) Err() error {
	if o.Context.Err() != nil {
		return context.DeadlineExceeded
	}
	return nil
}

// Value hides what the context is made of from those derived of it.
func (lateContext) Value(any) any { return nil }

// whenThere calls f when a file is there.
func whenThere(ctx context.Context, file string, f func()) {
	for ctx.Err() == nil {
		if _, err := os.Stat(file); err == nil {
			f()
			return
		}
		<-time.After(5 * time.Millisecond)
	}
}

func TestAProgramIsKilledAtTheDeadline(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hangs")
	ctx, pass := context.WithCancel(within(t, 3*patience))
	var passing sync.WaitGroup
	passing.Go(func() { whenThere(ctx, file, pass) })
	got, err := runProgram(lateContext{ctx}, self(t, "hang "+file))
	pass()
	passing.Wait()
	if !errors.Is(err, context.DeadlineExceeded) || got != nil || !strings.Contains(err.Error(), "waiting for the database") {
		t.Errorf("%q, %v; want the deadline and the standard error", got, err)
	}
}

func TestAProgramIsKilledWhenRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(soon, cancel)
	if _, err := runProgram(ctx, self(t, "hang")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want it canceled", err)
	}
	if _, err := runProgram(ctx, self(t, "print x")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want nothing to be started", err)
	}
}

func TestAFloodIsStopped(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := runProgram(within(t, patience), self(t, "flood"))
	runtime.ReadMemStats(&after)
	if got != nil || !errors.Is(err, errTooMuch) {
		t.Errorf("%d bytes, %v; want it to be too much", len(got), err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 8*maxOutput {
		t.Errorf("it allocated %d bytes", took)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var all string
	got := new(outputTail)
	for _, piece := range []string{"a", strings.Repeat("b", 700), strings.Repeat("c", 700), "", strings.Repeat("d", 3000), "e"} {
		all += piece
		if n, err := got.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if want := all[max(0, len(all)-maxTail):]; string(got.end) != want || got.cut != (len(all) > maxTail) {
			t.Errorf("after %d bytes: %d kept, cut %v", len(all), len(got.end), got.cut)
		}
	}
}

package disk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The test binary runs itself as another process that does what this variable names, in the directory of the next.
const (
	childRole = "CONVOKE_DISK_CHILD"
	childDir  = "CONVOKE_DISK_DIR"

	childCommits = 10_000
)

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "":
		os.Exit(m.Run())
	case "open":
		_, err := Open(os.Getenv(childDir), nil)
		fmt.Println(errors.Is(err, ErrLocked), err)
	case "commit":
		if err := commitAll(os.Getenv(childDir)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
}

// commitAll commits one value after the other and prints each number when it is safe.
func commitAll(dir string) error {
	s, err := Open(dir, nil)
	if err != nil {
		return err
	}
	for n := range childCommits {
		if err := s.Commit([]Change{set(fmt.Sprint("key-", n%500), fmt.Sprint(n, strings.Repeat(".", 200)))}); err != nil {
			return err
		}
		fmt.Println(n)
	}
	return nil
}

func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe)
	c.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	return c
}

func TestASecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir, nil)
	out, err := child(t, "open", dir).CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	if got := string(out); !strings.HasPrefix(got, "true ") || !strings.Contains(got, dir) || !strings.Contains(got, "another process") {
		t.Errorf("a second process got %q, want a refusal that names %s", got, dir)
	}
	if _, err := Open(dir, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open in this process = %v, want ErrLocked", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := child(t, "open", dir).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "false <nil>") {
		t.Errorf("after Close another process got %s, %v", out, err)
	}
}

// A killed process loses nothing that was acknowledged. It is killed in the middle of its commits, at several
// places, and once after the last.
func TestAKilledProcessLosesNothing(t *testing.T) {
	for _, at := range []int{0, 1, 777, 4321, childCommits - 1} {
		t.Run(fmt.Sprint("after ", at), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			last := killAt(t, dir, at)
			s := openStore(t, dir, nil)
			if f := s.Found(); f.Damage != "" {
				t.Errorf("Found() = %+v", f)
			}
			// The commit after the last acknowledged one may be there too.
			for key := range min(500, last+1) {
				want := last - (last-key)%500
				v, ok := s.Value(fmt.Sprint("key-", key))
				number, _, _ := strings.Cut(string(v), ".")
				if !ok || (number != fmt.Sprint(want) && number != fmt.Sprint(want+500)) {
					t.Fatalf("key %d holds %q, want commit %d; %d was acknowledged last", key, number, want, last)
				}
			}
		})
	}
}

// killAt kills a child once it has acknowledged a commit and returns the last that it acknowledged before it died.
func killAt(t *testing.T, dir string, at int) (last int) {
	t.Helper()
	c := child(t, "commit", dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	last = -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n := 0
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil || n != last+1 {
			t.Fatalf("the child printed %q after %d", lines.Text(), last)
		}
		if last = n; n == at {
			_ = c.Process.Kill()
		}
	}
	_, _ = io.Copy(io.Discard, out)
	_ = c.Wait()
	if last < at {
		t.Fatalf("the child ended after commit %d", last)
	}
	return last
}

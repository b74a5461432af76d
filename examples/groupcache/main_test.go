package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestMain lets this program be the command.
func TestMain(m *testing.M) {
	if os.Getenv("GROUPCACHE_CHILD") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is one that runs.
type process struct {
	addr string
	in   io.Writer
	out  *bufio.Scanner
}

func start(t *testing.T, name, join string) *process {
	t.Helper()
	c := exec.Command(os.Args[0], "-name", name, "-join", join)
	c.Env = append(os.Environ(), "GROUPCACHE_CHILD=1")
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Wait()
	})
	p := &process{in: in, out: bufio.NewScanner(out)}
	if !p.out.Scan() {
		t.Fatalf("%s did not start", name)
	}
	p.addr = strings.TrimPrefix(p.out.Text(), "listening on ")
	return p
}

// get returns the member that loaded a key, as a process answers it.
func (p *process) get(t *testing.T, key string) string {
	t.Helper()
	fmt.Fprintln(p.in, key)
	if !p.out.Scan() {
		t.Fatal("no answer")
	}
	answer := p.out.Text()
	if !strings.HasPrefix(answer, key+" loaded by ") {
		t.Fatalf("%s: %s", key, answer)
	}
	return strings.TrimPrefix(answer, key+" loaded by ")
}

func TestThreeProcessesShareOneCache(t *testing.T) {
	a := start(t, "a", "")
	all := []*process{a, start(t, "b", a.addr), start(t, "c", a.addr)}
	agreed, loaders := 0, map[string]bool{}
	for i, end := 0, time.Now().Add(30*time.Second); agreed < 20 || len(loaders) < 3; i++ { // until all three see each other
		if time.Now().After(end) {
			t.Fatalf("they agree on %d keys in a row, loaded by %v", agreed, loaders)
		}
		if loader, same := sameLoader(t, all, fmt.Sprint("probe", i)); same {
			loaders[loader] = true
			agreed++
		} else {
			agreed = 0
		}
	}
	for i := range 100 {
		if loader, same := sameLoader(t, all, fmt.Sprint("key", i)); !same {
			t.Errorf("key%d was loaded by %s and by another one", i, loader)
		}
	}
}

// sameLoader reports whether all processes get a key from one that loaded it once.
func sameLoader(t *testing.T, all []*process, key string) (loader string, same bool) {
	t.Helper()
	loader, same = all[0].get(t, key), true
	for _, p := range all[1:] {
		same = p.get(t, key) == loader && same
	}
	return loader, same
}

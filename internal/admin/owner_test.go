//go:build linux

package admin

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOnlyTheOwnUserAndRootAreTrusted(t *testing.T) {
	own := filepath.Join("/tmp", ownDir(), "a@b.sock")
	for _, c := range []struct {
		name               string
		path               string
		listens, self, dir int
		want               bool
	}{
		{"the own user", own, 1000, 1000, 1000, true},
		{"root", own, 0, 1000, 1000, true},
		{"another user", own, 1001, 1000, 1001, false},
		{"another user in the own directory", own, 1001, 1000, 1000, false},
		{"another user in a data directory", "/data/admin.sock", 1001, 1000, 1001, false},
		{"root asks the user of a data directory", "/data/admin.sock", 1001, 0, 1001, true},
		{"root asks another user in a data directory", "/data/admin.sock", 1002, 0, 1001, false},
		{"another user took root's directory first", own, 1001, 0, 1001, false},
	} {
		err := checkUsers(c.path, c.listens, c.self, c.dir)
		if (err == nil) != c.want || err != nil && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

const forgerSocket = "ADMIN_TEST_FORGER"

// TestMain lets this program be another user who listens on a socket.
func TestMain(m *testing.M) {
	path := os.Getenv(forgerSocket)
	if path == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString("ready\n")
	c, err := l.Accept()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[\"forged\"]")
	_, _ = io.Copy(os.Stdout, c) // what a client sends
	os.Exit(0)
}

func TestNothingIsSentToAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	dir := filepath.Join(socketDir(t), ownDir())
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Mkdir(dir, 0o755), os.Chown(dir, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(filepath.Dir(dir), "forger") // where the other user may run it
	b, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	forger := exec.Command(program)
	forger.Env = append(os.Environ(), forgerSocket+"="+path)
	forger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := forger.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := forger.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	got, err := ask(t, path, "secret")
	if err == nil || !strings.Contains(err.Error(), "another user listens on the admin socket") || len(got) > 0 {
		t.Errorf("answer %q, error %v", got, err)
	}
	sent, _ := io.ReadAll(out)
	if err := forger.Wait(); err != nil || len(sent) > 0 {
		t.Errorf("the other user got %q, %v", sent, err)
	}
}

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package local

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const childDir = "CONVOKE_TEST_LOCAL_DIR" // makes TestChild hold a registration there

// TestChild is another process: it registers, reports that and waits to be killed.
func TestChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("runs as a process of its own, see the next test")
	}
	content, err := registration{Version: formatVersion, Cluster: "orders", Addrs: []string{"127.0.0.1:9"}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := createLocked(dir, content); err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("registered\n")
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until the parent closes it or kills us
}

func TestAKilledProcessIsGoneAtOnceAndItsFileRemoved(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), childDir+"="+dir)
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "registered\n" {
		t.Fatalf("the child printed %q, %v", line, err)
	}
	alive, err := scanRegistrations(dir, "orders")
	if err != nil || len(alive) != 1 || alive[0].Addrs[0] != "127.0.0.1:9" {
		t.Errorf("scan = %v, %v, want the child", alive, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	if alive, err := scanRegistrations(dir, "orders"); err != nil || len(alive) != 0 {
		t.Errorf("scan = %v, %v, want none", alive, err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 0 {
		t.Errorf("files %v, %v, want none", names, err)
	}
}

// goodName is the name of a registration that no process holds.
const goodName = "node-1-ABCDEFGHIJKLMNOPQRSTUVWXYZ.json"

func TestFilesThatAreNoRegistrationAreNamedAndLeftAlone(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(dir string) error
		want string // in the error; "" for a file that is no concern of ours
	}{
		"another's file": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600) }, ""},
		"another's JSON": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "x.json"), []byte("{}"), 0o600) }, "x.json: its lock is free"},
		"directory":      {func(dir string) error { return os.Mkdir(filepath.Join(dir, goodName), 0o700) }, "not a regular file"},
		"named pipe":     {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, goodName), 0o600) }, "not a regular file"},
		"link":           {func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, goodName)) }, goodName},
		"garbage":        {locked("garbage"), "no JSON registration"},
		"empty":          {locked(""), "no JSON registration"},
		"a list":         {locked("[1]"), "no JSON registration"},
		"next version":   {locked(`{"version":2,"addrs":["a:1"]}`), "format version 2, this program knows 1"},
		"no address":     {locked(`{"version":1,"cluster":"orders"}`), "0 addresses, want 1 to 16"},
		"bad address":    {locked(`{"version":1,"cluster":"orders","addrs":["a"]}`), "want host:port"},
		"many addresses": {locked(`{"version":1,"addrs":["a:1"` + strings.Repeat(`,"a:1"`, 16) + `]}`), "17 addresses"},
		"too large":      {locked(strings.Repeat(" ", maxFile) + "{}"), "larger than 16384 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tc.make(dir); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			alive, err := scanRegistrations(dir, "orders")
			if len(alive) != 0 || (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("scan = %v, %v, want none and %q", alive, err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), dir) {
				t.Errorf("%q does not name the file", err)
			}
			if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
				t.Errorf("files %v, %v, want %v left alone", after, err, before)
			}
		})
	}
}

// keep holds what locked made: closing a file would let go of its lock.
var keep []*lockedFile

func locked(content string) func(dir string) error {
	return func(dir string) error {
		h, err := createLocked(dir, []byte(content))
		keep = append(keep, h)
		return err
	}
}

func TestTheRegistrationOfADeadOwnerIsRemoved(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, goodName), []byte("half wri"), 0o600); err != nil {
		t.Fatal(err)
	}
	if alive, err := scanRegistrations(dir, "orders"); len(alive) != 0 || err != nil {
		t.Errorf("scan = %v, %v, want none", alive, err)
	}
	if _, err := os.Stat(filepath.Join(dir, goodName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat = %v, want the file gone", err)
	}
}

func TestAFreshFileInThePlaceOfADeadOneIsNotRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), goodName)
	if err := os.WriteFile(path, []byte("dead"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, free, err := openAndTryLock(path)
	if err != nil || !free {
		t.Fatalf("probe = %t, %v, want a free lock", free, err)
	}
	defer func() { _ = f.Close() }()
	if err := os.WriteFile(path+".new", []byte("fresh"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	if err := removeIfSame(f, path); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "fresh" {
		t.Errorf("the file holds %q, %v, want the fresh one", got, err)
	}
}

func TestTemporaryFilesAreRemovedWhenTheirWriterIsLongDead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "."+strings.TrimSuffix(goodName, ".json")+".tmp")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	exists := func(want bool) {
		t.Helper()
		if _, err := scanRegistrations(dir, "orders"); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("stat = %v, want it there: %t", err, want)
		}
	}
	exists(true) // its writer may be about to lock it
	old := time.Now().Add(-2 * tempAge)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := tryLock(f, syscall.LOCK_EX); !ok || err != nil {
		t.Fatalf("lock = %t, %v", ok, err)
	}
	exists(true) // a process holds it
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	exists(false)
}

func TestADirectoryWithTooManyFilesIsReported(t *testing.T) {
	dir := t.TempDir()
	for i := range maxFiles + 1 {
		if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", i%100+1)+time.Duration(i).String()), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := scanRegistrations(dir, "orders"); err == nil || !strings.Contains(err.Error(), "more than 4096 files") {
		t.Errorf("scan = %v, want an error", err)
	}
}

func TestARegistrationOfAnotherClusterIsNoPeer(t *testing.T) {
	dir := t.TempDir() // as if two IDs had one hash
	if err := locked(`{"version":1,"cluster":"other","addrs":["a:1"]}`)(dir); err != nil {
		t.Fatal(err)
	}
	if err := locked(`{"version":1,"cluster":"orders","addrs":["B.:1"]}`)(dir); err != nil {
		t.Fatal(err)
	}
	alive, err := scanRegistrations(dir, "orders")
	if err != nil || len(alive) != 1 || alive[0].Addrs[0] != "b:1" {
		t.Errorf("scan = %v, %v, want the node of this cluster at b:1", alive, err)
	}
}

func TestHoldReportsADirectoryThatIsGone(t *testing.T) {
	if _, err := createLocked(filepath.Join(t.TempDir(), "gone"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("hold = %v, want that the directory is gone", err)
	}
}

func TestARegistrationThatIsTooLargeIsNotWritten(t *testing.T) {
	if _, err := (registration{Name: strings.Repeat("n", maxFile)}).encode(); err == nil || !strings.Contains(err.Error(), "above the maximum") {
		t.Errorf("bytes = %v, want an error", err)
	}
}

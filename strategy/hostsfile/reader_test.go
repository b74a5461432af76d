package hostsfile

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestASettledFileIsNotReadAgainBeforeAMinute(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	old := time.Now().Add(-time.Hour)
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	r := &reader{config: Config{Path: path}}
	ask := func(want string) {
		t.Helper()
		peers, err := r.lookup(context.Background())
		if err != nil || len(peers) != 1 || peers[0].Addr != want {
			t.Errorf("lookup = %v, %v, want %s", peers, err, want)
		}
	}
	write("10.0.0.1:1\n")
	ask("10.0.0.1:1")
	write("10.0.0.2:1\n") // same inode, size and time: cannot be seen
	ask("10.0.0.1:1")
	r.at = r.at.Add(-reread)
	ask("10.0.0.2:1")
}

func TestAFileJustWrittenIsReadOnceMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	r := &reader{config: Config{Path: path}}
	var stamp time.Time
	for _, want := range []string{"10.0.0.1:1", "10.0.0.2:1"} {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if stamp.IsZero() {
			stamp = time.Now()
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil { // both within one tick of its clock
			t.Fatal(err)
		}
		peers, err := r.lookup(context.Background())
		if err != nil || len(peers) != 1 || peers[0].Addr != want {
			t.Errorf("lookup = %v, %v, want %s", peers, err, want)
		}
	}
}

func TestASettledFileReplacedByOneOfSameSizeAndTimeIsReadAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	old := time.Now().Add(-time.Hour)
	r := &reader{config: Config{Path: path}}
	for _, want := range []string{"10.0.0.1:1", "10.0.0.2:1"} {
		if err := os.WriteFile(path+".new", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path+".new", old, old); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		peers, err := r.lookup(context.Background())
		if err != nil || len(peers) != 1 || peers[0].Addr != want {
			t.Errorf("lookup = %v, %v, want %s", peers, err, want)
		}
	}
}

package reread

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// following is a file and what was last read of it.
type following struct {
	File
	content string
}

func (f *following) read(path string) (string, error) {
	data, changed, err := f.Read(path)
	if changed {
		f.content = string(data)
	}
	return f.content, err
}

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
	r := new(following)
	ask := func(want string) {
		t.Helper()
		got, err := r.read(path)
		if err != nil || got != want {
			t.Errorf("Read = %q, %v, want %q", got, err, want)
		}
	}
	write("one")
	ask("one")
	write("two") // same inode, size and time: cannot be seen
	ask("one")
	r.at = r.at.Add(-again)
	ask("two")
}

func TestAFileJustWrittenIsReadOnceMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	r := new(following)
	var stamp time.Time
	for _, want := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if stamp.IsZero() {
			stamp = time.Now()
		}
		if err := os.Chtimes(path, stamp, stamp); err != nil { // both within one tick of its clock
			t.Fatal(err)
		}
		got, err := r.read(path)
		if err != nil || got != want {
			t.Errorf("Read = %q, %v, want %q", got, err, want)
		}
	}
}

func TestASettledFileReplacedByOneOfSameSizeAndTimeIsReadAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	old := time.Now().Add(-time.Hour)
	r := new(following)
	for _, want := range []string{"one", "two"} {
		if err := os.WriteFile(path+".new", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path+".new", old, old); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		got, err := r.read(path)
		if err != nil || got != want {
			t.Errorf("Read = %q, %v, want %q", got, err, want)
		}
	}
}

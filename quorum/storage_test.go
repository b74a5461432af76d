package quorum

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/internal/disk"
)

// failingFS is a file system that can be full.
type failingFS struct {
	disk.FS
	full atomic.Bool
}

func (f *failingFS) Create(name string) (disk.File, error) {
	if f.full.Load() {
		return nil, syscall.ENOSPC
	}
	file, err := f.FS.Create(name)
	return failingFile{file, f}, err
}

type failingFile struct {
	disk.File
	fs *failingFS
}

func (f failingFile) Write(b []byte) (int, error) {
	if f.fs.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(b)
}

func TestAMemberWithAFullDiskEndsWhatItHoldsAndComesBackWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := map[string]*failingFS{}
		dir := t.TempDir()
		q := startQuorum(t, func(c *Config) {
			durable(dir)(c)
			files[c.Node.Name()] = &failingFS{FS: disk.System}
			c.files = files[c.Node.Name()]
		}, "a", "b", "c")
		leader := q.awaitLeader("a", "b", "c")
		begun, ended := make(chan Hold, 10), make(chan error, 10)
		go func() {
			_ = q.all[leader].Lead(t.Context(), "job", func(ctx context.Context, h Hold) error {
				begun <- h
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return nil
			})
		}()
		first := <-begun
		files[leader].full.Store(true)
		q.Wait("the disk is used and fails", func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, _ = q.all[leader].Map().Set(ctx, "k", "v")
			s, err := q.all[leader].Status(t.Context())
			return err == nil && strings.Contains(s.Problem, "no space left")
		})
		if err := <-ended; !errors.Is(err, ErrLost) {
			t.Errorf("the function ended with %v", err)
		}
		if err := first.Valid(); !errors.Is(err, ErrLost) {
			t.Errorf("Valid = %v", err)
		}
		time.Sleep(time.Minute)
		files[leader].full.Store(false)
		q.awaitLeader("a", "b", "c")
		if s := q.status(leader); s.Problem != "" {
			t.Errorf("problem after the disk has room: %q", s.Problem)
		}
		q.put(leader, "k", "w")
	})
}

func TestADamagedLogMakesANewVoter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		q := startQuorum(t, durable(dir), "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		q.put("a", "k", "v")
		q.all["b"].Stop()
		q.Crash("b")
		harmFiles(t, dir+"/b/quorum")
		q.add(q.Restart("b"), durable(dir))
		q.WaitTogether()
		q.awaitLeader("a", "b", "c")
		q.wantValue("b", "k", "v")
		q.Wait("b votes again", func() bool {
			return q.status("b").Role != "none" && !q.status("a").Changing && len(q.status("a").Voters) == 3
		})
	})
}

// harmFiles changes a byte in the middle of each file of a directory.
func harmFiles(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(err, entries)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) < 3 {
			continue
		}
		b[len(b)/2] ^= 0xff
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

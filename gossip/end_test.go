package gossip

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/internal/disk"
)

func TestANodeThatEndedByItselfHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		mem := transport.NewMemory()
		a, b := start(t, mem, "a"), kept(t, mem, "b", dir)
		must(t, b.Join(t.Context(), "a:7946"))
		settle(time.Second)
		must(t, a.Remove(t.Context(), "b"))
		<-b.Done()
		if !errors.Is(b.Err(), ErrRemoved) {
			t.Errorf("b ended with %v", b.Err())
		}
		again, err := Start(Config{Name: "b", ClusterID: "test", Listen: "b:7946", Transport: mem.Host("b"), DataDir: dir})
		if err != nil {
			t.Fatalf("a new node at its port and in its directory: %v", err)
		}
		again.Stop()
	})
}

// stuck is a log writer that blocks until it is freed.
type stuck struct{ free chan struct{} }

func (s stuck) Write(b []byte) (int, error) {
	<-s.free
	return len(b), nil
}

func TestALogWriterThatBlocksStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem, log := transport.NewMemory(), stuck{make(chan struct{})}
		defer close(log.free)
		a := start(t, mem, "a")
		b, err := Start(Config{Name: "b", ClusterID: "test", Listen: "b:7946", Transport: mem.Host("b"),
			Log: hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace})})
		must(t, err)
		must(t, b.Join(t.Context(), "a:7946"))
		settle(time.Second)
		for range 3 * 2048 { // more lines than are kept
			c, err := mem.Host("x").Dial(t.Context(), "b:7946")
			must(t, err)
			_ = c.Close()
		}
		settle(30 * time.Second)
		wantUp(t, []*Node{a, b}, "a b")
		must(t, b.Set(t.Context(), "k", "v"))
		begun := time.Now()
		b.Stop()
		if took := time.Since(begun); took > 1500*time.Millisecond {
			t.Errorf("Stop took %v", took)
		}
	})
}

// hanging is a file system whose syncs hang while hang is set.
type hanging struct {
	disk.FS
	hang atomic.Pointer[chan struct{}] // nil: they do not
}

func (h *hanging) Create(name string) (disk.File, error) {
	f, err := h.FS.Create(name)
	return hangingFile{f, h}, err
}

type hangingFile struct {
	disk.File
	fs *hanging
}

func (f hangingFile) Sync() error {
	if hang := f.fs.hang.Load(); hang != nil {
		<-*hang
	}
	return f.File.Sync()
}

func TestADiskThatHangsHoldsUpNoDeadline(t *testing.T) {
	for _, leave := range []bool{false, true} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			mem, files := transport.NewMemory(), &hanging{FS: disk.System}
			n, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: mem.Host("a"), DataDir: dir, files: files})
			must(t, err)
			settle(time.Second)
			hang := make(chan struct{})
			files.hang.Store(&hang)
			defer close(hang)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if err := n.Shared().Set(ctx, "k", "v"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Set = %v", err)
			}
			begun, limit := time.Now(), 6*time.Second
			if leave {
				limit = 2 * time.Second
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				if err := n.Leave(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Leave = %v", err)
				}
			} else {
				n.Stop()
			}
			if took := time.Since(begun); took > limit {
				t.Errorf("the end (leave: %v) took %v", leave, took)
			}
			<-n.Done()
		})
	}
}

// broken is a file system that cannot be read while fail is set.
type broken struct {
	disk.FS
	fail atomic.Bool
}

func (b *broken) Lock(name string) (io.Closer, error) {
	if b.fail.Load() {
		return nil, syscall.EIO
	}
	return b.FS.Lock(name)
}

func TestANodeStartsThoughItsDiskIsFullOrFailing(t *testing.T) {
	full := &fullDisk{FS: disk.System}
	full.full.Store(true)
	failing := &broken{FS: disk.System}
	failing.fail.Store(true)
	for name, c := range map[string]struct {
		files disk.FS
		heal  func()
	}{
		"full":    {full, func() { full.full.Store(false) }},
		"failing": {failing, func() { failing.fail.Store(false) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				mem, log := transport.NewMemory(), new(journal)
				config := Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: mem.Host("a"), DataDir: dir, files: c.files,
					Log: hclog.New(&hclog.LoggerOptions{Output: log})}
				n, err := Start(config)
				if err != nil {
					c.heal()
					t.Fatalf("it does not start: %v", err)
				}
				defer n.Stop()
				if err := n.Set(t.Context(), "k", "v"); err == nil {
					t.Error("Set returns nil")
				}
				synctest.Wait()
				if len(log.warnings()) == 0 {
					t.Error("nothing is logged")
				}
				c.heal()
				settle(2 * time.Minute)
				n.Stop()
				n, err = Start(config)
				must(t, err)
				defer n.Stop()
				if v, _ := n.Get("a", "k"); v != "v" {
					t.Errorf("after a restart k is %q", v)
				}
			})
		})
	}
}

// counting is a file system that counts syncs of files.
type counting struct {
	disk.FS
	syncs atomic.Int64
}

func (c *counting) Create(name string) (disk.File, error) {
	f, err := c.FS.Create(name)
	return countingFile{f, c}, err
}

type countingFile struct {
	disk.File
	fs *counting
}

func (f countingFile) Sync() error {
	f.fs.syncs.Add(1)
	return nil
}

func TestWhatOthersWriteIsWrittenInBatches(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		mem, files := transport.NewMemory(), &counting{FS: disk.System}
		a := start(t, mem, "a")
		b, err := Start(Config{Name: "b", ClusterID: "test", Listen: "b:7946", Transport: mem.Host("b"), DataDir: dir, files: files})
		must(t, err)
		defer b.Stop()
		must(t, b.Join(t.Context(), "a:7946"))
		settle(2 * time.Second)
		before := files.syncs.Load()
		for range 1000 { // in 5 s
			must(t, a.Shared().Set(t.Context(), "k", time.Now().String()))
			time.Sleep(5 * time.Millisecond)
		}
		settle(time.Second)
		if got := files.syncs.Load() - before; got > 14 {
			t.Errorf("%d syncs in 6 s at a node that writes nothing, want 2 a second", got)
		}
		before = files.syncs.Load()
		must(t, b.Set(t.Context(), "own", "v"))
		if files.syncs.Load() == before {
			t.Error("an own write is acknowledged before it is on the disk")
		}
	})
}

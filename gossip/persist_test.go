package gossip

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/gossip/internal/wire"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/internal/disk"
)

// kept starts a node that keeps its state in a directory.
func kept(t *testing.T, net *transport.Memory, name, dir string) *Node {
	t.Helper()
	n, err := Start(Config{Name: name, ClusterID: "test", Listen: name + ":7946", Transport: net.Host(name), DataDir: dir})
	must(t, err)
	t.Cleanup(n.Stop)
	return n
}

func TestARestartedNodeRejoinsFromItsFileAlone(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		a, b := kept(t, net, "a", dir), start(t, net, "b")
		must(t, a.Join(t.Context(), "b:7946"))
		settle(time.Second)
		a.Stop()
		settle(time.Second)
		a = kept(t, net, "a", dir) // it gets no address
		settle(2 * time.Second)
		wantUp(t, []*Node{a, b}, "a b")
	})
}

func TestANodeThatDiesRightAfterAJoinKnowsWhomToCall(t *testing.T) {
	dir, killed := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		a, b := kept(t, net, "a", dir), start(t, net, "b")
		must(t, a.Join(t.Context(), "b:7946"))
		must(t, os.CopyFS(killed, os.DirFS(dir))) // what a kill would leave
		a.Stop()
		settle(time.Second)
		a = kept(t, net, "a", killed)
		settle(2 * time.Second)
		wantUp(t, []*Node{a, b}, "a b")
	})
}

func TestDataOutlivesAllNodes(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		names := []string{"a", "b", "c"}
		var nodes []*Node
		begin := func() {
			nodes = nil
			for i, name := range names {
				nodes = append(nodes, kept(t, net, name, dirs[i]))
			}
			settle(5 * time.Second)
		}
		begin()
		must(t, nodes[1].Join(t.Context(), "a:7946"))
		must(t, nodes[2].Join(t.Context(), "a:7946"))
		settle(2 * time.Second)
		must(t, nodes[0].Shared().Set(t.Context(), "k", "v"))
		must(t, nodes[0].Shared().Set(t.Context(), "gone", "v"))
		must(t, nodes[2].Set(t.Context(), "role", "cook"))
		must(t, nodes[1].Shared().Sync(within(t, time.Second)))
		must(t, nodes[0].Shared().Sync(within(t, time.Second)))
		must(t, nodes[1].Shared().Delete(t.Context(), "gone"))
		settle(time.Second)
		for _, n := range nodes {
			n.Stop()
		}
		begin()
		wantUp(t, nodes, "a b c")
		for _, n := range nodes {
			if v, _ := n.Shared().Get("k"); v != "v" {
				t.Errorf("%s: k = %q", n.config.Name, v)
			}
			if v, ok := n.Shared().Get("gone"); ok {
				t.Errorf("%s: a deleted key is back as %q", n.config.Name, v)
			}
			if v, _ := n.Get("c", "role"); v != "cook" {
				t.Errorf("%s: role of c = %q", n.config.Name, v)
			}
		}
	})
}

func TestANodeWithoutItsFileNeverGetsItsOldKeysOverItsNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, nodes := formed(t, "a", "b")
		for i := range 20 {
			must(t, nodes[1].Set(t.Context(), "k", fmt.Sprint("old", i)))
		}
		settle(time.Second)
		nodes[1].Stop()
		b := start(t, net, "b")
		must(t, b.Set(t.Context(), "k", "new"))
		must(t, b.Join(t.Context(), "a:7946"))
		settle(2 * time.Second)
		for _, n := range []*Node{nodes[0], b} {
			if v, _ := n.Get("b", "k"); v != "new" {
				t.Errorf("%s has k of b = %q, want the new value", n.config.Name, v)
			}
		}
	})
}

func TestANodeWithoutOthersKeepsItsKeysHoweverLongItWasAway(t *testing.T) {
	dir := t.TempDir()
	net := transport.NewMemory()
	synctest.Test(t, func(t *testing.T) {
		n := kept(t, net, "a", dir)
		must(t, n.Shared().Set(t.Context(), "old", "v"))
		must(t, n.Set(t.Context(), "own", "v"))
		n.Stop()
		n, err := Start(Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: net.Host("a"), DataDir: dir,
			clock: func() time.Time { return time.Now().Add(11 * 24 * time.Hour) }})
		must(t, err)
		defer n.Stop()
		if v, _ := n.Shared().Get("old"); v != "v" {
			t.Errorf("the shared key is %q", v)
		}
		if v, _ := n.Get("a", "own"); v != "v" {
			t.Errorf("the own key is %q", v)
		}
	})
}

func TestTheLastContactAndWhenMembersWereUpOutliveANode(t *testing.T) {
	dir := t.TempDir()
	c := Config{ClusterID: "test", DataDir: dir}
	p, _, err := openPersist(&c, newAsyncLog(hclog.NewNullLogger()))
	must(t, err)
	must(t, p.beginLife(7, nil))
	p.keepOutput(core.Remember{ID: "up", Addr: "up:1", Generation: 3})
	p.keepOutput(core.Remember{ID: "down", Addr: "down:1", Generation: 4, Seen: 500})
	p.keepOutput(core.Contact{At: 1000, Floor: 5, Since: 300})
	must(t, p.commitChanges(p.pending))
	must(t, p.close(false))
	p, past, err := openPersist(&c, newAsyncLog(hclog.NewNullLogger()))
	must(t, err)
	defer func() { must(t, p.close(false)) }()
	want := core.Restore{Contact: 1000, Floor: 5, Since: 300, Members: []core.Remember{
		{ID: "down", Addr: "down:1", Generation: 4, Seen: 500},
		{ID: "up", Addr: "up:1", Generation: 3, Seen: 1000},
	}}
	if diff := cmp.Diff(want, past.state); diff != "" || past.generation != 7 {
		t.Errorf("generation %d, (-want +got)\n%s", past.generation, diff)
	}
}

func TestADirectoryOfTheFirstFormatIsRead(t *testing.T) {
	dir := t.TempDir()
	store, err := disk.Open(dir, nil)
	must(t, err)
	old := append(binary.BigEndian.AppendUint64(nil, 5), "10.0.0.1:7946"...)
	must(t, store.Commit([]disk.Change{{Key: keptCluster, Value: []byte("test")}, {Key: keptMember + "b", Value: old}}))
	must(t, store.Close())
	c := Config{ClusterID: "test", DataDir: dir}
	for range 2 { // as it was, and in the present format
		p, past, err := openPersist(&c, newAsyncLog(hclog.NewNullLogger()))
		must(t, err)
		m := past.state.Members
		if len(m) != 1 || m[0].ID != "b" || m[0].Generation != 5 || m[0].Addr != "10.0.0.1:7946" {
			t.Errorf("read %+v", m)
		}
		if away := time.Since(past.state.Contact.Time()); away < 0 || away > time.Minute || m[0].Seen != past.state.Contact {
			t.Errorf("the last contact was %v ago, b was up at %v", away, m[0].Seen)
		}
		must(t, p.beginLife(6, past.migrate))
		must(t, p.close(false))
	}
}

func TestARemovedNodePutsItsFilesAside(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		a, b := start(t, net, "a"), kept(t, net, "b", dir)
		must(t, b.Join(t.Context(), "a:7946"))
		settle(time.Second)
		must(t, b.Set(t.Context(), "k", "v"))
		must(t, a.Remove(t.Context(), "b"))
		settle(time.Second)
		b.Stop()
		if !errors.Is(b.Err(), ErrRemoved) {
			t.Fatalf("b ended with %v", b.Err())
		}
		b = kept(t, net, "b", dir)
		if v, ok := b.Get("b", "k"); ok || b.View().Len() != 1 {
			t.Errorf("it still has k = %q, and %d members", v, b.View().Len())
		}
	})
}

func TestANodeThatDiedBeforeItPutItsFilesAsideIsStillRemoved(t *testing.T) {
	dir := t.TempDir()
	store, err := disk.Open(dir, nil)
	must(t, err)
	removal := core.SharedEntry{Space: core.SpaceMember, Key: "b", Value: "r\x00\x00\x00\x00\x00\x00\x00\x01", Stamp: 1, Writer: 1}
	must(t, store.Commit([]disk.Change{
		{Key: keptCluster, Value: []byte("test")},
		{Key: sharedName(core.SpaceMember, "b"), Value: wire.AppendShared(nil, &removal)},
	}))
	must(t, store.Close())
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		b := kept(t, net, "b", dir)
		settle(time.Second)
		b.Stop()
		if !errors.Is(b.Err(), ErrRemoved) {
			t.Fatalf("b ended with %v", b.Err())
		}
		b = kept(t, net, "b", dir)
		settle(time.Second)
		if err := b.Err(); err != nil {
			t.Errorf("with its files put aside it ended with %v", err)
		}
	})
}

func TestADirectoryOfAnotherClusterOrProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	one, err := Start(Config{Name: "a", ClusterID: "one", Listen: "127.0.0.1:0", DataDir: dir})
	must(t, err)
	if _, err := Start(Config{Name: "a", ClusterID: "one", Listen: "127.0.0.1:0", DataDir: dir}); err == nil {
		t.Error("a second node took the directory")
	}
	one.Stop()
	_, err = Start(Config{Name: "a", ClusterID: "two", Listen: "127.0.0.1:0", DataDir: dir})
	if err == nil || !strings.Contains(err.Error(), `the state of a node of the cluster "one", not of "two"`) {
		t.Errorf("with another cluster ID: %v", err)
	}
}

// fullDisk is a file system without room while full is set.
type fullDisk struct {
	disk.FS
	full atomic.Bool
}

func (d *fullDisk) Create(name string) (disk.File, error) {
	f, err := d.FS.Create(name)
	return fullFile{f, d}, err
}

type fullFile struct {
	disk.File
	disk *fullDisk
}

func (f fullFile) Write(b []byte) (int, error) {
	if f.disk.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(b)
}

func TestAFullDiskIsAnErrorAndIsWrittenWhenItHasRoom(t *testing.T) {
	dir := t.TempDir()
	files := &fullDisk{FS: disk.System}
	synctest.Test(t, func(t *testing.T) {
		net := transport.NewMemory()
		config := Config{Name: "a", ClusterID: "test", Listen: "a:7946", Transport: net.Host("a"), DataDir: dir, files: files}
		n, err := Start(config)
		must(t, err)
		must(t, n.Set(t.Context(), "k", "before"))
		if !n.HasDisk() || n.DiskFailing() {
			t.Error("a disk that works is absent, or shown as failing")
		}
		files.full.Store(true)
		for range 3 {
			if err := n.Set(t.Context(), "k", "while it is full"); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, ErrNotDurable) {
				t.Errorf("set: %v", err)
			}
		}
		if v, _ := n.Get("a", "k"); v != "while it is full" {
			t.Errorf("the node itself has %q", v)
		}
		if !n.DiskFailing() {
			t.Error("a disk that is full is not shown as failing")
		}
		files.full.Store(false)
		settle(2 * time.Minute) // no node writes
		if n.DiskFailing() {
			t.Error("a disk that has room again is shown as failing")
		}
		files.full.Store(true)
		n.Stop()
		files.full.Store(false)
		n, err = Start(config)
		must(t, err)
		defer n.Stop()
		if v, _ := n.Get("a", "k"); v != "while it is full" {
			t.Errorf("after the restart it has %q", v)
		}
	})
}

func TestADamagedFileIsPutAsideAndTheNodeStarts(t *testing.T) {
	dir := t.TempDir()
	n, err := Start(Config{Name: "a", ClusterID: "one", Listen: "127.0.0.1:0", DataDir: dir})
	must(t, err)
	must(t, n.Set(t.Context(), "k", "v"))
	n.Stop()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Size() > 20 {
			data, err := os.ReadFile(f)
			must(t, err)
			for i := range data {
				data[i] ^= 0x55
			}
			must(t, os.WriteFile(f, data, 0o600))
		}
	}
	n, err = Start(Config{Name: "a", ClusterID: "one", Listen: "127.0.0.1:0", DataDir: dir})
	must(t, err)
	defer n.Stop()
	now, err := filepath.Glob(filepath.Join(dir, "*damaged*"))
	if err != nil || len(now) == 0 {
		t.Errorf("no file is put aside: %v, %v", now, err)
	}
}

const childDir = "GOSSIP_TEST_DIR"

// TestMain lets this program be the node that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		n, err := Start(Config{Name: "a", ClusterID: "one", Listen: "127.0.0.1:0", DataDir: dir})
		for i := 0; err == nil; i++ {
			if err = n.Set(context.Background(), fmt.Sprint("key", i%100), fmt.Sprint(i)); err == nil {
				fmt.Println(i)
			}
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestNoAcknowledgedKeyIsLostByAKill(t *testing.T) {
	const times = 10_000
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	last := -1
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Fatal(err)
		}
		if last == times {
			must(t, child.Process.Kill())
			break
		}
	}
	rest, _ := io.ReadAll(out) // what it printed before it died
	for _, line := range strings.Fields(string(rest)) {
		_, _ = fmt.Sscan(line, &last)
	}
	_ = child.Wait() // it was killed
	if last < times {
		t.Fatalf("the child ended by itself after %d", last)
	}
	n, err := Start(Config{Name: "a", ClusterID: "one", Listen: "127.0.0.1:0", DataDir: dir})
	must(t, err)
	defer n.Stop()
	for k := range 100 {
		acknowledged := last - (last-k)%100
		got, _ := n.Get("a", fmt.Sprint("key", k))
		var has int
		if _, err := fmt.Sscan(got, &has); err != nil || has < acknowledged {
			t.Errorf("key%d = %q, %d was acknowledged", k, got, acknowledged)
		}
	}
}

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// ownAddr is an own address that may change.
type ownAddr struct {
	mu    sync.Mutex
	peers []peer.Peer
}

func (s *ownAddr) set(peers ...peer.Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.peers = peers
}

func (s *ownAddr) get() []peer.Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peers
}

// fixedAddr returns an own address that does not change.
func fixedAddr(addr, id string) *ownAddr { return &ownAddr{peers: []peer.Peer{{Addr: addr, ID: id}}} }

// join runs a node and returns what it finds and how to end it.
func join(t *testing.T, root, cluster string, s *ownAddr) (*strategytest.Sink, func()) {
	t.Helper()
	c := DefaultConfig()
	c.Dir = root
	st := strategytest.New(t, Kind, c, strategy.Env{ClusterID: cluster, Self: s.get})
	ctx, cancel := context.WithCancel(context.Background())
	sink, done := new(strategytest.Sink), make(chan struct{})
	go func() {
		defer close(done)
		_ = st.Run(ctx, sink) // it ends with the context
	}()
	end := func() { cancel(); <-done }
	t.Cleanup(end)
	return sink, end
}

// soon is the interval with its jitter.
const soon = 1250 * time.Millisecond

// last returns the last call after every node had time to look.
func last(sink *strategytest.Sink) string {
	time.Sleep(soon)
	synctest.Wait()
	calls := sink.Calls()
	return calls[len(calls)-1].String()
}

func expect(t *testing.T, sink *strategytest.Sink, want string) {
	t.Helper()
	if got := last(sink); !strings.Contains(got, want) {
		t.Errorf("last call %s, want %s", got, want)
	}
}

func files(t *testing.T, root string) (names []string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(root, "*", ".node*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(found, hidden...)
}

func inBubble(t *testing.T, f func(t *testing.T, root string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, filepath.Join(t.TempDir(), "convoke")) })
}

func TestNodesFindEachOtherAndMissWhoLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		a, endA := join(t, root, "orders", fixedAddr("127.0.0.1:1", "a"))
		b, endB := join(t, root, "orders", fixedAddr("127.0.0.1:2", "b"))
		c, _ := join(t, root, "orders", fixedAddr("127.0.0.1:3", ""))
		expect(t, a, "Set(127.0.0.1:2 127.0.0.1:3)")
		expect(t, b, "Set(127.0.0.1:1 127.0.0.1:3)")
		expect(t, c, "Set(127.0.0.1:1 127.0.0.1:2)")
		if p := c.Calls()[len(c.Calls())-1].Peers; p[0].ID != "a" || p[1].ID != "b" {
			t.Errorf("peers %v, want them with their names", p)
		}
		endA()
		expect(t, b, "Set(127.0.0.1:3)")
		endB()
		expect(t, c, "Set()")
		if n := len(files(t, root)); n != 1 {
			t.Errorf("%d files, want that of the one who is left", n)
		}
	})
}

func TestTheEndOfARunRemovesItsFile(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		a, end := join(t, root, "orders", fixedAddr("127.0.0.1:1", ""))
		expect(t, a, "Set()")
		if n := len(files(t, root)); n != 1 {
			t.Errorf("%d files while it runs, want 1", n)
		}
		end()
		if all := files(t, root); len(all) != 0 {
			t.Errorf("files %v are left", all)
		}
	})
}

func TestClustersAreKeptApart(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		a, _ := join(t, root, "orders", fixedAddr("127.0.0.1:1", ""))
		b, _ := join(t, root, "../../etc", fixedAddr("127.0.0.1:2", ""))
		expect(t, a, "Set()")
		expect(t, b, "Set()")
	})
}

func TestANodeRegistersWhenItsAddressIsKnownAndWhenItChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		a, _ := join(t, root, "orders", fixedAddr("127.0.0.1:1", ""))
		late := new(ownAddr)
		b, _ := join(t, root, "orders", late)
		expect(t, b, "Set(127.0.0.1:1)")
		expect(t, a, "Set()")
		late.set(peer.Peer{Addr: "0.0.0.0:2", ID: "b"})
		expect(t, b, "Set(127.0.0.1:1)")
		expect(t, a, "Set(127.0.0.1:2)")
		late.set(peer.Peer{Addr: "[::]:3", ID: "b"}, peer.Peer{Addr: "10.0.0.9:3"})
		expect(t, b, "Set(127.0.0.1:1)")
		expect(t, a, "Set([::1]:3)")
		late.set()
		expect(t, b, "Set(127.0.0.1:1)")
		expect(t, a, "Set([::1]:3)")
		if n := len(files(t, root)); n != 2 {
			t.Errorf("%d files of two nodes", n)
		}
	})
}

func TestANodeWhoseAddressChangesRegistersAtOnceWhenItIsNotified(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		c, self, changed := DefaultConfig(), fixedAddr("127.0.0.1:1", "a"), make(chan struct{}, 1)
		c.Dir, c.Interval = root, 40*time.Second
		st := strategytest.New(t, Kind, c, strategy.Env{ClusterID: "orders", Self: self.get, SelfChanged: changed})
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { defer close(done); _ = st.Run(ctx, new(strategytest.Sink)) }()
		defer func() { cancel(); <-done }()
		other, _ := join(t, root, "orders", fixedAddr("127.0.0.1:2", "b"))
		time.Sleep(2 * time.Minute)
		self.set(peer.Peer{Addr: "127.0.0.1:3", ID: "a"})
		changed <- struct{}{}
		expect(t, other, "Set(127.0.0.1:3)")
	})
}

func TestABadOwnAddressIsReportedAndOthersAreFound(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		_, _ = join(t, root, "orders", fixedAddr("127.0.0.1:1", ""))
		b, _ := join(t, root, "orders", fixedAddr("127.0.0.1:0", ""))
		last(b)
		if got := strategytest.Summary(b.Calls()); got != "Add(127.0.0.1:1) Fail" {
			t.Errorf("calls %s, want an Add and a Fail", got)
		}
	})
}

func TestTwoRunsOfOneNodeDoNotFindEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		me := fixedAddr("0.0.0.0:1", "a")
		old, end := join(t, root, "orders", me)
		other, _ := join(t, root, "orders", fixedAddr("127.0.0.1:2", ""))
		fresh, _ := join(t, root, "orders", me)
		expect(t, old, "Set(127.0.0.1:2)")
		expect(t, fresh, "Set(127.0.0.1:2)")
		expect(t, other, "Set(127.0.0.1:1)")
		end()
		expect(t, fresh, "Set(127.0.0.1:2)")
		expect(t, other, "Set(127.0.0.1:1)")
	})
}

func TestAFileThatACleanerRemovedIsWrittenAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, root string) {
		a, _ := join(t, root, "orders", fixedAddr("127.0.0.1:1", ""))
		b, _ := join(t, root, "orders", fixedAddr("127.0.0.1:2", ""))
		expect(t, b, "Set(127.0.0.1:1)")
		if err := os.RemoveAll(root); err != nil {
			t.Fatal(err)
		}
		last(a)
		expect(t, a, "Set(127.0.0.1:2)")
		expect(t, b, "Set(127.0.0.1:1)")
	})
}

func TestADirectoryInWhichOthersCouldWriteIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(root string) error
		want string
	}{
		"world-writable": {func(root string) error {
			return withoutUmask(root, func() error { return os.Chmod(root, 0o777) })
		}, "mode 0777"},
		"group-writable": {func(root string) error {
			return withoutUmask(root, func() error { return os.Chmod(root, 0o770) })
		}, "mode 0770"},
		"link": {func(root string) error { return os.Symlink(filepath.Dir(root), root) }, "not a directory itself"},
		"file": {func(root string) error { return os.WriteFile(root, nil, 0o600) }, "not a directory"},
		"another user's": {func(root string) error {
			return withoutUmask(root, func() error { return os.Chown(root, 65534, -1) })
		}, "belongs to user 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another user's" && os.Getuid() != 0 {
				t.Skip("only root can give a directory away")
			}
			inBubble(t, func(t *testing.T, root string) {
				if err := tc.make(root); err != nil {
					t.Fatal(err)
				}
				a, _ := join(t, root, "orders", fixedAddr("127.0.0.1:1", ""))
				last(a)
				for _, c := range a.Calls() {
					if got := c.String(); !strings.HasPrefix(got, "Fail(") || !strings.Contains(got, tc.want) || !strings.Contains(got, root) {
						t.Fatalf("%s, want a Fail with %q and the directory", got, tc.want)
					}
				}
			})
		})
	}
}

func withoutUmask(root string, then func() error) error {
	if err := os.Mkdir(root, 0o700); err != nil {
		return err
	}
	return then()
}

func TestTheDefaultDirectory(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1")
	if got, want := defaultDir(), "/run/user/1/convoke"; got != want {
		t.Errorf("defaultDir() = %q, want %q", got, want)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	if got := defaultDir(); filepath.Dir(got) != filepath.Clean(os.TempDir()) || !strings.HasPrefix(filepath.Base(got), "convoke-") {
		t.Errorf("defaultDir() = %q, want convoke-<uid> among the temporary files", got)
	}
}

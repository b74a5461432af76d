package raftlog

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
)

var starts = flag.Int("starts", 100, "how often three nodes start together")

// words is a state machine that keeps what is applied.
type words struct {
	mu  sync.Mutex
	all []string
}

func (w *words) Apply(l *raft.Log) any {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, string(l.Data))
	return nil
}

func (w *words) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

func (w *words) Snapshot() (raft.FSMSnapshot, error) { return nil, io.ErrUnexpectedEOF }
func (w *words) Restore(r io.ReadCloser) error       { return r.Close() }

// replica is a node with its log.
type replica struct {
	node  *gossip.Node
	log   *Log
	words *words
}

// key is the pre-shared key of the cluster.
var key = bytes.Repeat([]byte{42}, 32)

func startNode(t *testing.T, name string, key []byte) *gossip.Node {
	t.Helper()
	psk, err := transport.NewPSK(key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := gossip.Start(gossip.Config{Name: name, ClusterID: "raft", Listen: "127.0.0.1:0", Transport: transport.TCP{Security: psk}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func inMemory() Storage {
	store := raft.NewInmemStore()
	return Storage{store, store, raft.NewDiscardSnapshotStore()}
}

func onDisk(t *testing.T, dir string) (Storage, func()) {
	t.Helper()
	store, err := raftboltdb.NewBoltStore(filepath.Join(dir, "raft.db"))
	if err != nil {
		t.Fatal(err)
	}
	return Storage{store, store, raft.NewDiscardSnapshotStore()}, func() { _ = store.Close() }
}

func quick(c *raft.Config) {
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout, c.CommitTimeout = 200*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond, 5*time.Millisecond
}

// start starts a group of nodes at once, each of which knows the address of the first.
func start(t *testing.T, names ...string) []*replica {
	t.Helper()
	var all []*replica
	for _, name := range names {
		r := &replica{node: startNode(t, name, key), words: &words{}}
		all = append(all, r)
	}
	var tasks sync.WaitGroup
	for i, r := range all {
		tasks.Go(func() {
			if i > 0 {
				if err := r.node.Join(t.Context(), all[0].node.Addr()); err != nil {
					t.Error(err)
				}
			}
			var err error
			if r.log, err = Open(r.node, len(names), inMemory(), r.words, quick); err != nil {
				t.Error(err)
			}
		})
	}
	tasks.Wait()
	return all
}

func stop(all []*replica) {
	for _, r := range all {
		_ = r.log.Close()
		r.node.Stop()
	}
}

// births waits for all and returns the birth of each.
func births(t *testing.T, all []*replica) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var ids []string
	for _, r := range all {
		b, err := r.log.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, b.ID)
	}
	return ids
}

// write has the leader of a group append a word and waits until all of it have it.
func write(t *testing.T, all []*replica, word string) {
	t.Helper()
	eventually(t, "a leader takes "+word, func() bool {
		return slices.ContainsFunc(all, func(r *replica) bool {
			return r.log.State() == raft.Leader && r.log.Apply([]byte(word), time.Second).Error() == nil
		})
	})
	eventually(t, "all have "+word, func() bool {
		return !slices.ContainsFunc(all, func(r *replica) bool { return !slices.Contains(r.words.list(), word) })
	})
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestNodesThatStartTogetherFoundOneLog(t *testing.T) {
	for i := range *starts {
		all := start(t, "a", "b", "c")
		if ids := births(t, all); ids[0] != ids[1] || ids[1] != ids[2] {
			t.Fatalf("start %d: births %v", i, ids)
		}
		if i%20 == 0 {
			write(t, all, fmt.Sprint("word", i))
		}
		stop(all)
	}
}

func TestTwoGroupsThatAreBridgedKeepTheirLogs(t *testing.T) {
	left, right := start(t, "a", "b", "c"), start(t, "x", "y", "z")
	defer stop(append(left, right...))
	write(t, left, "left")
	write(t, right, "right")
	if err := right[0].node.Join(t.Context(), left[0].node.Addr()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all six see each other", func() bool { return left[2].node.View().Len() == 6 && right[2].node.View().Len() == 6 })
	write(t, left, "left again")
	write(t, right, "right again")
	for i, group := range [][]*replica{left, right} {
		for _, r := range group {
			if n := len(r.words.list()); n != 2 {
				t.Errorf("group %d: %s has %q", i, r.node.Name(), r.words.list())
			}
			if servers := r.log.GetConfiguration().Configuration().Servers; len(servers) != 3 {
				t.Errorf("group %d: servers are %v", i, servers)
			}
		}
		if err := group[0].log.formation.Conflict(); err == nil {
			t.Error("two births meet and nothing reports it")
		}
	}
}

func TestALogOnDiskIsFoundAgainAndNotFoundedTwice(t *testing.T) {
	dir := t.TempDir()
	run := func(word string) (birth string, all []string) {
		storage, closeStorage := onDisk(t, dir)
		defer closeStorage()
		r := &replica{node: startNode(t, "a", key), words: &words{}}
		defer r.node.Stop()
		var err error
		if r.log, err = Open(r.node, 1, storage, r.words, quick); err != nil {
			t.Fatal(err)
		}
		defer r.log.Close()
		write(t, []*replica{r}, word)
		return births(t, []*replica{r})[0], r.words.list()
	}
	first, _ := run("one")
	second, all := run("two")
	if first != second || !slices.Equal(all, []string{"one", "two"}) {
		t.Errorf("births %s and %s, words %q", first, second, all)
	}
}

func TestANodeWithoutTheKeyHearsNothing(t *testing.T) {
	all := start(t, "a")
	defer stop(all)
	write(t, all, "secret")
	stranger := startNode(t, "m", bytes.Repeat([]byte{1}, 32))
	defer stranger.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := stranger.Join(ctx, all[0].node.Addr()); err == nil {
		t.Error("a node with another key has joined")
	}
	if n := all[0].node.View().Len(); n != 1 {
		t.Errorf("%d members", n)
	}
}

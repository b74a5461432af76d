package gossip

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// Shared is the map that all members of the cluster share: the last write of a key wins, by a hybrid logical clock, on both sides
// of a partition and when they meet again. Its methods are safe for concurrent use.
type Shared struct {
	node   *Node
	shards [sharedShards]atomic.Pointer[map[uint64]*core.SharedEntry]

	mu       sync.Mutex
	watchers map[*sharedWatcher]struct{}
	unsynced map[string]core.SharedVersion // own writes since the last Sync; nil: too many to remember
}

const (
	sharedShards = 256 // a write copies one of them
	maxUnsynced  = 4096
)

// Shared returns the shared map.
func (n *Node) Shared() *Shared { return n.shared }

func newShared(n *Node) *Shared {
	return &Shared{node: n, watchers: map[*sharedWatcher]struct{}{}, unsynced: map[string]core.SharedVersion{}}
}

// entry returns what this node knows of a key, nil if nothing.
func (s *Shared) entry(id uint64) *core.SharedEntry {
	if m := s.shards[id%sharedShards].Load(); m != nil {
		return (*m)[id]
	}
	return nil
}

func (s *Shared) find(key string) *core.SharedEntry {
	if e := s.entry(core.SharedID(core.SpaceUser, key)); e != nil && e.Key == key && e.Space == core.SpaceUser {
		return e
	}
	return nil
}

// live tells whether an entry has a value now.
func (s *Shared) live(e *core.SharedEntry) bool {
	return e != nil && !e.Deleted && (e.Expires == 0 || s.node.now().UnixMilli() < e.Expires)
}

// Get returns the value of a key as this node knows it. It takes no lock and allocates nothing.
func (s *Shared) Get(key string) (value string, ok bool) {
	if e := s.find(key); s.live(e) {
		return e.Value, true
	}
	return "", false
}

// All yields the keys and values with a prefix, in no order.
func (s *Shared) All(prefix string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range s.shards {
			m := s.shards[i].Load()
			if m == nil {
				continue
			}
			for _, e := range *m {
				if e.Space == core.SpaceUser && hasPrefix(e.Key, prefix) && s.live(e) && !yield(e.Key, e.Value) {
					return
				}
			}
		}
	}
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

// Set writes a key, at most 256 and 65,536 bytes unless Tuning.Limits say otherwise; beyond that, beyond Limits.Shared in all, and by a
// clock that is wrong (see [ErrClockAhead]), it is an error and nothing is written. With a TTL above 0 it goes by itself after that time, 1 ms at least. It
// returns when this node has it, on its disk if it has one; see [Shared.Sync].
func (s *Shared) Set(ctx context.Context, key, value string, ttl time.Duration) error {
	return s.write(ctx, core.SharedSet{Key: key, Value: value, TTL: ttl}, nil)
}

// Delete removes a key; nothing happens if it is not there.
func (s *Shared) Delete(ctx context.Context, key string) error {
	return s.write(ctx, core.SharedDelete{Key: key}, nil)
}

// Update replaces the value of a key by what fn makes of it: ok tells whether there was a value, and keep false deletes it. fn is
// called again when the key changed in between here, so two updates of one node never lose each other, while of updates at two
// nodes at the same moment the later one wins whole. An error of fn is returned, and nothing is written.
func (s *Shared) Update(ctx context.Context, key string, fn func(old string, ok bool) (value string, keep bool, err error)) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("gossip: update %q: %w", key, err)
		}
		var stamp core.Stamp
		var old string
		e := s.find(key)
		ok := s.live(e)
		if e != nil {
			stamp = e.Stamp
		}
		if ok {
			old = e.Value
		}
		value, keep, err := fn(old, ok)
		if err != nil {
			return err
		}
		var in core.Input = core.SharedSet{Key: key, Value: value}
		if !keep {
			in = core.SharedDelete{Key: key}
		}
		if err := s.write(ctx, in, &stamp); !errors.Is(err, errStale) {
			return err
		}
	}
}

// ErrClockAhead says that this node's clock is more than a minute ahead of its neighbours' clocks: they would refuse what it writes.
var ErrClockAhead = core.ErrClockAhead

// errStale says that a key changed since it was read.
var errStale = errors.New("the key has changed")

func (s *Shared) write(ctx context.Context, in core.Input, expect *core.Stamp) error {
	err := s.node.request(ctx, event{in: in, expect: expect})
	if err != nil && !errors.Is(err, errStale) {
		return fmt.Errorf("gossip: shared: %w", err)
	}
	return err
}

// remember takes what the core changed into the snapshot. Only the loop calls it.
func (s *Shared) remember(e *core.SharedEntry) {
	id := core.SharedID(e.Space, e.Key)
	s.replace(id, e)
	s.note(e)
}

func (s *Shared) forget(space core.Space, key string) { s.replace(core.SharedID(space, key), nil) }

func (s *Shared) replace(id uint64, e *core.SharedEntry) {
	shard := &s.shards[id%sharedShards]
	next := map[uint64]*core.SharedEntry{}
	if old := shard.Load(); old != nil {
		for k, v := range *old {
			next[k] = v
		}
	}
	if e == nil {
		delete(next, id)
	} else {
		next[id] = e
	}
	shard.Store(&next)
}

// note tells the watchers of a key, and remembers an own write for Sync.
func (s *Shared) note(e *core.SharedEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Writer == s.node.id && s.unsynced != nil {
		s.unsynced[e.Key] = core.SharedVersion{ID: core.SharedID(e.Space, e.Key), Stamp: e.Stamp, Writer: e.Writer}
		if len(s.unsynced) > maxUnsynced {
			s.unsynced = nil
		}
	}
	if e.Space != core.SpaceUser {
		return
	}
	for w := range s.watchers {
		if hasPrefix(e.Key, w.prefix) {
			w.changed[e.Key] = struct{}{}
			select {
			case w.wake <- struct{}{}:
			default: // it is awake already
			}
		}
	}
}

// SharedChange is a key of the shared map that has another value than before.
type SharedChange struct {
	Key   string
	Value string
	Gone  bool // deleted or expired
}

// sharedWatcher collects the keys that changed since its reader last looked: as many as there are keys, at most.
type sharedWatcher struct {
	prefix  string
	changed map[string]struct{} // under Shared.mu
	wake    chan struct{}
}

// Watch yields the keys with a prefix: first all that have a value, then each that changes, until ctx or the node ends. A slow
// reader misses values in between, never the newest, and holds up nobody.
func (s *Shared) Watch(ctx context.Context, prefix string) iter.Seq[SharedChange] {
	return func(yield func(SharedChange) bool) {
		w := &sharedWatcher{prefix: prefix, changed: map[string]struct{}{}, wake: make(chan struct{}, 1)}
		s.mu.Lock()
		s.watchers[w] = struct{}{}
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			delete(s.watchers, w)
			s.mu.Unlock()
		}()
		for key, value := range s.All(prefix) {
			if !yield(SharedChange{Key: key, Value: value}) {
				return
			}
		}
		for {
			select {
			case <-w.wake:
			case <-ctx.Done():
				return
			case <-s.node.done:
				return
			}
			for key := range s.take(w) {
				value, ok := s.Get(key)
				if !yield(SharedChange{Key: key, Value: value, Gone: !ok}) {
					return
				}
			}
		}
	}
}

// take returns the keys that changed, and begins anew.
func (s *Shared) take(w *sharedWatcher) map[string]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := w.changed
	w.changed = map[string]struct{}{}
	return keys
}

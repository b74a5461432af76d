package gossip

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/goconvoke/convoke/gossip/internal/core"
	"github.com/goconvoke/convoke/internal/keylock"
)

// Shared is the map that all members of the cluster share: the last write of a key wins, by a hybrid logical clock, on both sides
// of a partition and when they meet again. Its methods are safe for concurrent use. Readers see what the node has taken in, without
// a look at any clock: a value with a time to live lasts until the node ends it, about 10 ms after its time.
type Shared struct {
	node     *Node
	entries  readableMap
	removals atomic.Pointer[[]*core.SharedEntry] // those of entries that remove a member; replaced, never changed
	updating keylock.Locks

	mu       sync.Mutex
	watchers map[*sharedWatcher]struct{}
	unsynced map[uint64]core.SharedVersion // own writes since the last Sync, by ID
	dropped  int                           // own writes that were too many to remember
}

// maxUnsynced bounds the writes that are remembered for Sync. Beyond it, Sync asks for all that is in the map.
const maxUnsynced = 1 << 16

// Shared returns the shared map.
func (n *Node) Shared() *Shared { return n.shared }

func newShared(n *Node) *Shared {
	return &Shared{node: n, watchers: map[*sharedWatcher]struct{}{}, unsynced: map[uint64]core.SharedVersion{}}
}

// loadEntry returns what this node knows of a key, nil if nothing.
func (s *Shared) loadEntry(id uint64) *core.SharedEntry { return s.entries.load(id) }

func (s *Shared) findEntry(key string) *core.SharedEntry {
	if e := s.loadEntry(core.SharedID(core.SpaceUser, key)); e != nil && e.Key == key && e.Space == core.SpaceUser {
		return e
	}
	return nil
}

// hasValue reports whether an entry has a value.
func hasValue(e *core.SharedEntry) bool { return e != nil && !e.Deleted }

// Get returns the value of a key as this node knows it. It takes no lock and allocates nothing.
func (s *Shared) Get(key string) (value string, ok bool) {
	if e := s.findEntry(key); hasValue(e) {
		return e.Value, true
	}
	return "", false
}

// All yields the keys and values with a prefix, in no order.
func (s *Shared) All(prefix string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		s.entries.each(func(e *core.SharedEntry) bool {
			return e.Space != core.SpaceUser || !hasPrefix(e.Key, prefix) || !hasValue(e) || yield(e.Key, e.Value)
		})
	}
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

// Set writes a key, at most 256 and 65,536 bytes unless Tuning.Limits sets other limits. It is an error, and nothing is written, beyond that,
// beyond Limits.Shared for all values together, and with a clock that is ahead ([ErrClockAhead]). With a [TTL] the value ends by itself
// after that time; such a write is refused with [ErrTombstones] as a delete is. It returns when this node has the value, on its disk
// if it has one; see [Shared.Sync].
func (s *Shared) Set(ctx context.Context, key, value string, opts ...SetOption) error {
	o, err := setOptionsOf(opts)
	if err != nil {
		return fmt.Errorf("gossip: set %q: %w", key, err)
	}
	return s.writeKey(ctx, core.SharedSet{Key: key, Value: value, TTL: o.ttl}, nil)
}

// Delete removes a key; nothing happens if it is not there. That a key was deleted has to be remembered, for Config.Horizon or while
// there is room, and for 10 minutes at least: [ErrTombstones] means that there is none, because more than Limits.Shared / (64 + length
// of a key) keys were deleted or have expired in 10 minutes. With the defaults and keys of 16 bytes that is 175 a second.
func (s *Shared) Delete(ctx context.Context, key string) error {
	return s.writeKey(ctx, core.SharedDelete{Key: key}, nil)
}

var (
	// ErrClockAhead means that the other nodes would refuse a write, because its stamp would be more than a minute ahead of their clocks:
	// this node's clock is ahead, or that of the node that last wrote the key was.
	ErrClockAhead = core.ErrClockAhead
	// ErrTombstones means that too many keys were deleted, or have expired, in the last 10 minutes; see [Shared.Delete].
	ErrTombstones = core.ErrTombstones
)

// errStale means that a key changed since it was read.
var errStale = errors.New("the key has changed")

func (s *Shared) writeKey(ctx context.Context, in core.Input, expect *core.Stamp) error {
	err := s.node.request(ctx, event{in: in, expect: expect})
	if err != nil && !errors.Is(err, errStale) {
		return fmt.Errorf("gossip: shared: %w", err)
	}
	return err
}

// applyChange takes what the core changed into the readers' map. Only the loop calls it.
func (s *Shared) applyChange(out core.RememberShared) {
	e := out.Entry
	id := core.SharedID(e.Space, e.Key)
	old := s.loadEntry(id)
	s.entries.store(id, e)
	if e.Space == core.SpaceMember {
		s.noteRemoval(e.Key, e)
	}
	if !out.Restored {
		s.noteWrite(id, e)
	}
	s.notifyWatchers(old, e)
}

func (s *Shared) forgetKey(space core.Space, key string) {
	id := core.SharedID(space, key)
	old := s.loadEntry(id)
	s.entries.store(id, nil)
	if space == core.SpaceMember {
		s.noteRemoval(key, nil)
	}
	s.notifyWatchers(old, nil)
}

// noteWrite remembers an own write for Sync.
func (s *Shared) noteWrite(id uint64, e *core.SharedEntry) {
	if e.Writer != s.node.id {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.unsynced[id]; !known && len(s.unsynced) >= maxUnsynced {
		s.dropped++
		return
	}
	s.unsynced[id] = core.SharedVersion{ID: id, Stamp: e.Stamp, Writer: e.Writer}
}

// notifyWatchers wakes the watchers of a key whose value is not what it was.
func (s *Shared) notifyWatchers(old, e *core.SharedEntry) {
	if hasValue(old) == hasValue(e) && (!hasValue(e) || old.Value == e.Value) {
		return
	}
	which := e
	if e == nil {
		which = old
	}
	if which.Space != core.SpaceUser {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		if hasPrefix(which.Key, w.prefix) {
			w.changed[which.Key] = struct{}{}
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
// reader misses values in between, never the newest, and delays no other.
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
			for key := range s.takeChanged(w) {
				value, ok := s.Get(key)
				if !yield(SharedChange{Key: key, Value: value, Gone: !ok}) {
					return
				}
			}
		}
	}
}

// takeChanged returns the keys that changed since it was last called.
func (s *Shared) takeChanged(w *sharedWatcher) map[string]struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := w.changed
	w.changed = map[string]struct{}{}
	return keys
}

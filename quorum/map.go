package quorum

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Map is a linearizable map that all members share: every operation takes effect at one moment between its call and its return, in one order
// for all members. Keys have up to 512 bytes, values up to 64 KiB, all together up to 16 MiB; beyond that a write is refused with
// [ErrFull]. Its methods are safe for concurrent use.
//
// Use it for what must never be lost or seen in two states, such as who owns an order, a counter, a switch of the whole cluster: each operation costs a
// round to the leader, and a minority can do none. Use gossip's shared map for what every node should have and can bear to be overwritten, such as
// settings and presence: it writes at both sides of a partition, the last write wins, and reads are local. Large or many values belong into a
// database, with a [Token] to fence them.
//
// No write is ever applied twice: each one in the log names the index that it replaces, and an index is never used again. A write whose answer was lost
// is sent again under the same index; where that does not show what became of it, the error wraps [ErrUnknown] and the program decides.
//
// A context without a deadline counts as one of 10 s. When no leader answers before it ends, the error wraps [ErrNoLeader] and the cause of the context, and of a write [ErrUnknown]
// if a leader may have taken it.
type Map struct{ *parts }

// Map returns the map.
func (q *Quorum) Map() *Map { return &Map{q.parts()} }

// Entry is a key of the map with its value.
type Entry struct {
	Key   string
	Value string
	// Index is where in the log the key was last written: it grows with each write, and is never used again. 0: the key is not there.
	Index uint64
}

// Get returns a key as of a moment between the call and the return. Its Index is 0 if the key is not there.
func (m *Map) Get(ctx context.Context, key string) (Entry, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, mapError("get", key, err)
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	r, err := m.read(ctx, core.Read{Key: key})
	if err != nil {
		return Entry{}, mapError("get", key, err)
	}
	return Entry{Key: key, Value: string(r.Value), Index: r.Index}, nil
}

// WriteOption changes what a write does.
type WriteOption func(*writeOptions)

type writeOptions struct {
	session bool
	index   *uint64
}

// WithSession has the key end with the session of this member, which ends when the member leaves or dies, or is cut off for longer than its lease:
// a time to live that the leases renew. A session that was lost is followed by another, without the keys of the first. While the member
// has none, the write waits; [ErrLost] means that it had none until the deadline.
func WithSession() WriteOption { return func(o *writeOptions) { o.session = true } }

// IfIndex has a write take effect only if the key was last written at an index, 0 if it is not there; else it fails with [ErrConflict].
func IfIndex(index uint64) WriteOption { return func(o *writeOptions) { o.index = &index } }

// Set writes a key and returns it with its new index.
func (m *Map) Set(ctx context.Context, key, value string, opts ...WriteOption) (Entry, error) {
	r, err := m.write(ctx, core.Write{Key: key, Value: []byte(value)}, opts)
	if err != nil {
		return Entry{}, mapError("set", key, err)
	}
	return Entry{Key: key, Value: value, Index: r.Index}, nil
}

// Delete removes a key; nothing happens if it is not there.
func (m *Map) Delete(ctx context.Context, key string, opts ...WriteOption) error {
	_, err := m.write(ctx, core.Write{Key: key, Delete: true}, opts)
	return mapError("delete", key, err)
}

// Update replaces the value of a key by what fn makes of it: ok reports whether there was a value, and keep false deletes it. When another
// write came between, fn is called again with the newer value, after a pause, until ctx ends, and the error wraps [ErrConflict] then: no update of
// any member is lost. An error of fn is returned as it is, and nothing is written. It returns the key as this update left it.
//
// Updates of one key in one process run one after the other, so that they do not conflict among themselves: fn should be quick, and must not
// update that key itself. A function that returns after ctx has ended changes nothing.
//
// [ErrUnknown] means that a leader took the write and no answer came: the update took effect, or will, or never does. Read the key to find
// out, if its values show whose they are.
func (m *Map) Update(ctx context.Context, key string, fn func(old string, ok bool) (value string, keep bool, err error), opts ...WriteOption) (Entry, error) {
	if fn == nil {
		return Entry{}, mapError("update", key, errNoFunction)
	}
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	if err := m.updating.Lock(ctx, key); err != nil {
		return Entry{}, mapError("update", key, fmt.Errorf("%w: other updates of the key in this process came first: %w", ErrNoLeader, err))
	}
	defer m.updating.Unlock(key)
	for failures := 1; ; failures++ {
		old, err := m.Get(ctx, key)
		if err != nil {
			return Entry{}, err
		}
		value, keep, err := fn(old.Value, old.Index != 0)
		switch {
		case err != nil:
			return old, err
		case !keep && old.Index == 0:
			return old, nil
		case ctx.Err() != nil:
			return Entry{}, mapError("update", key, fmt.Errorf("the function returned after the context had ended, and nothing was written: %w", context.Cause(ctx)))
		}
		r, err := m.write(ctx, core.Write{Key: key, Value: []byte(value), Delete: !keep}, slices.Concat(opts, []WriteOption{IfIndex(old.Index)}))
		if err == nil && !keep {
			return Entry{Key: key}, nil
		}
		if err == nil {
			return Entry{Key: key, Value: value, Index: r.Index}, nil
		}
		if !errors.Is(err, ErrConflict) {
			return Entry{}, mapError("update", key, err)
		}
		if backoff.Sleep(ctx, conflictPause(failures)) != nil {
			return Entry{}, mapError("update", key, fmt.Errorf("%w, %d times in a row: %w", err, failures, context.Cause(ctx)))
		}
	}
}

// Waits after a conflict.
const (
	leastConflict = 2 * time.Millisecond
	mostConflict  = 200 * time.Millisecond
)

func conflictPause(failures int) time.Duration {
	return backoff.Jitter(nil, backoff.Doubling(leastConflict, mostConflict, failures), 0.5)
}

func checkKey(key string) error {
	if len(key) == 0 || len(key) > core.MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, want 1 to %d", ErrFull, len(key), core.MaxKey)
	}
	return nil
}

func mapError(what, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("quorum: %s %.80q: %w", what, key, err)
}

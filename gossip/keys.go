package gossip

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Get returns the value of a key that a member published. It takes no lock and allocates nothing.
func (n *Node) Get(member, key string) (value string, ok bool) {
	m, ok := n.View().Member(member)
	if !ok {
		return "", false
	}
	return m.Get(key)
}

// Set publishes a key of this node: at most 256 and 65,536 bytes, unless Tuning.Limits sets other limits, and 1 MiB in all. It returns when
// the node itself has it, on its disk if it has one; others have it a moment later. With a [TTL] the key ends by itself after that time,
// and does not outlive this process. An error wraps [ErrNotDurable] if the key is published but not on the disk when ctx ends.
func (n *Node) Set(ctx context.Context, key, value string, opts ...SetOption) error {
	o, err := setOptionsOf(opts)
	if err != nil {
		return fmt.Errorf("gossip: set %q: %w", key, err)
	}
	return n.setOwn(ctx, core.Set{Key: key, Value: value, TTL: o.ttl})
}

// Delete withdraws a key of this node; nothing happens if it is not there. Errors are those of Set.
func (n *Node) Delete(ctx context.Context, key string) error {
	return n.setOwn(ctx, core.Delete{Key: key})
}

// setOwn has the loop change an own key.
func (n *Node) setOwn(ctx context.Context, in core.Input) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errSlowDisk)
	defer cancel()
	if err := n.request(ctx, event{in: in}); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// errSlowDisk means that a change is made and was not on the disk in time.
var errSlowDisk = fmt.Errorf("not on the disk after %v", patience)

// SetOption changes what [Node.Set] and [Shared.Set] do.
type SetOption func(*setOptions)

type setOptions struct {
	ttl    time.Duration
	hasTTL bool
}

// TTL ends a key by itself after a time, 1 ms at least.
func TTL(d time.Duration) SetOption {
	return func(o *setOptions) { o.ttl, o.hasTTL = d, true }
}

func setOptionsOf(opts []SetOption) (setOptions, error) {
	var o setOptions
	for _, opt := range opts {
		if opt == nil {
			return o, errors.New("an option is nil")
		}
		opt(&o)
	}
	if o.hasTTL && o.ttl < time.Millisecond {
		return o, fmt.Errorf("a time to live of %v, want 1 ms at least", o.ttl)
	}
	return o, nil
}

// KeyChange is a key of a member that has another value than before.
type KeyChange struct {
	Member string
	Key    string
	Value  string
	Gone   bool // deleted, or the member is not known any longer
}

// WatchKeys yields the keys with a prefix that a member publishes, "" for all members: first those that there are, then each that
// changes, by member and key, until ctx or the node ends. Members that are down keep their keys. A slow reader misses values in
// between, never the newest, and delays no other. A change costs as much as its member has keys with the prefix.
func (n *Node) WatchKeys(ctx context.Context, member, prefix string) iter.Seq[KeyChange] {
	return func(yield func(KeyChange) bool) {
		last := &View{}
		for now := range n.eachView(ctx) {
			for was, is := range changedMembers(last, now, member) {
				for c := range keyChanges(was, is, prefix) {
					if !yield(c) {
						return
					}
				}
			}
			last = now
		}
	}
}

// changedMembers yields what differs between two views: of one member, or of all if the name is "".
func changedMembers(last, now *View, name string) iter.Seq2[*Member, *Member] {
	if name == "" {
		return now.Since(last)
	}
	return func(yield func(*Member, *Member) bool) {
		was, _ := last.Member(name)
		is, _ := now.Member(name)
		if was != is {
			yield(was, is)
		}
	}
}

// keyChanges yields the keys with a prefix that differ between two states of a member, in the order of the keys. Either may be nil.
func keyChanges(was, is *Member, prefix string) iter.Seq[KeyChange] {
	return func(yield func(KeyChange) bool) {
		if was == nil {
			was = &Member{}
		}
		if is == nil {
			is = &Member{Name: was.Name}
		}
		if is.sameKeys(was) {
			return
		}
		old, stopOld := iter.Pull2(withPrefix(was, prefix))
		defer stopOld()
		k, v, more := old()
		for key, value := range withPrefix(is, prefix) {
			for ; more && k < key; k, v, more = old() {
				if !yield(KeyChange{Member: is.Name, Key: k, Gone: true}) {
					return
				}
			}
			same := more && k == key
			if (!same || v != value) && !yield(KeyChange{Member: is.Name, Key: key, Value: value}) {
				return
			}
			if same {
				k, v, more = old()
			}
		}
		for ; more; k, _, more = old() {
			if !yield(KeyChange{Member: is.Name, Key: k, Gone: true}) {
				return
			}
		}
	}
}

// withPrefix yields the keys of a member that have a prefix.
func withPrefix(m *Member, prefix string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for key, value := range m.KeysFrom(prefix) {
			if !strings.HasPrefix(key, prefix) || !yield(key, value) {
				return
			}
		}
	}
}

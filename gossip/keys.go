package gossip

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/gossip/core"
)

// Get returns the value of a key that a member published. It takes no lock and allocates nothing.
func (n *Node) Get(member, key string) (value string, ok bool) {
	all := n.View().Members
	i, ok := slices.BinarySearchFunc(all, member, func(m Member, id string) int { return strings.Compare(m.ID, id) })
	if !ok {
		return "", false
	}
	value, ok = all[i].Keys[key]
	return value, ok
}

// Set publishes a key of this node: at most 256 and 65,536 bytes, unless Tuning.Limits say otherwise, and 1 MiB in all. It returns when
// the node itself has it, on its disk if it has one.
func (n *Node) Set(key, value string) error {
	return n.setOwn(core.Set{Key: key, Value: value})
}

// SetFor publishes a key of this node as Set does, for some time: it goes by itself after ttl, 1 ms at least, and does not outlive
// this process.
func (n *Node) SetFor(key, value string, ttl time.Duration) error {
	if ttl < time.Millisecond {
		return fmt.Errorf("gossip: a time to live of %v, want 1 ms at least", ttl)
	}
	return n.setOwn(core.Set{Key: key, Value: value, TTL: ttl})
}

// Delete withdraws a key of this node; nothing happens if it is not there.
func (n *Node) Delete(key string) error {
	return n.setOwn(core.Delete{Key: key})
}

// setOwn has the loop change an own key.
func (n *Node) setOwn(in core.Input) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, errSlowDisk)
	defer cancel()
	if err := n.request(ctx, event{in: in}); err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	return nil
}

// errSlowDisk says that a change is made and was not on the disk in time.
var errSlowDisk = fmt.Errorf("done, but not on the disk after %v", patience)

// KeyChange is a key of a member that has another value than before.
type KeyChange struct {
	Member string
	Key    string
	Value  string
	Gone   bool // deleted, or the member is not known any longer
}

// WatchKeys yields the keys with a prefix that a member publishes, "" for all members: first those that there are, then each that
// changes, until ctx or the node ends. Members that are down keep their keys. A slow reader misses values in between, never the
// newest, and holds up nobody.
func (n *Node) WatchKeys(ctx context.Context, member, prefix string) iter.Seq[KeyChange] {
	return func(yield func(KeyChange) bool) {
		last := map[[2]string]string{}
		for v := range n.views(ctx) {
			now := keysOf(v, member, prefix)
			for _, c := range changes(last, now) {
				if !yield(c) {
					return
				}
			}
			last = now
		}
	}
}

// keysOf returns the keys of a member, "" for all, that have a prefix, by (member, key).
func keysOf(v *View, member, prefix string) map[[2]string]string {
	all := map[[2]string]string{}
	for i := range v.Members {
		m := &v.Members[i]
		if member != "" && m.ID != member {
			continue
		}
		for key, value := range m.Keys {
			if hasPrefix(key, prefix) {
				all[[2]string{m.ID, key}] = value
			}
		}
	}
	return all
}

// changes compares keys, in the order of members and keys.
func changes(before, after map[[2]string]string) []KeyChange {
	var all []KeyChange
	for k, value := range after {
		if was, ok := before[k]; !ok || was != value {
			all = append(all, KeyChange{Member: k[0], Key: k[1], Value: value})
		}
	}
	for k := range before {
		if _, ok := after[k]; !ok {
			all = append(all, KeyChange{Member: k[0], Key: k[1], Gone: true})
		}
	}
	slices.SortFunc(all, func(a, b KeyChange) int {
		return slices.Compare([]string{a.Member, a.Key}, []string{b.Member, b.Key})
	})
	return all
}

package gossip

import (
	"context"
	"iter"
	"slices"
)

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
		for {
			next := n.watch.wait()
			v := n.View()
			now := keysOf(v, member, prefix)
			for _, c := range changes(last, now) {
				if !yield(c) {
					return
				}
			}
			last = now
			select {
			case <-next:
			case <-ctx.Done():
				return
			case <-n.done:
				if n.View() == v {
					return
				}
			}
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

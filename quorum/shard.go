package quorum

import (
	"unicode/utf16"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/quorum/internal/plan"
)

// Of returns the shard of a key, from 0 to count-1: its 64-bit FNV-1a hash, mixed so that all bits depend on all of the key, modulo count. It
// is the same in all versions and on all machines. When count is doubled, the keys of shard s are in s or s+count. It returns -1 if
// count is not positive, as there is no shard then.
func Of(key string, count int) int {
	if count <= 0 {
		return -1
	}
	return int(plan.Mix(fnv1a(key)) % uint64(count))
}

// fnv1a returns the 64-bit hash of that name as hash/fnv does, without an allocation.
func fnv1a(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return h
}

// OfJava returns the shard that Math.abs(key.hashCode() % count) gives in Java, for data that ring-election divided. Keys that differ
// little are in neighbouring shards by it, so new data should use [Of]. Bytes that are not valid UTF-8 count as U+FFFD. It
// returns -1 if count is not positive.
func OfJava(key string, count int) int {
	if count <= 0 {
		return -1
	}
	var h int32
	for _, r := range key {
		if high, low := utf16.EncodeRune(r); r > 0xffff {
			h = (h*31+high)*31 + low
		} else {
			h = h*31 + r
		}
	}
	shard := int64(h) % int64(count) // of the sign of h
	return int(max(shard, -shard))
}

// Prefer returns the member that should act on a key, by rendezvous hashing over the members that are up in a view; nil if there are none.
// It needs no quorum and always answers, but two nodes with different views may prefer different members: use it for caches, and
// a lease where only one may act.
func Prefer(view *gossip.View, key string) *gossip.Member {
	return gossip.NewRing(view, gossip.RingConfig{}).Owner(key)
}

package core

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// writes are entries of few keys, writers and stamps, so that they meet in every way.
func writes(rng *rand.Rand) []*SharedEntry {
	var all []*SharedEntry
	seen := map[[3]uint64]bool{}
	for range 1 + rng.IntN(40) {
		e := &SharedEntry{Key: fmt.Sprint(rng.IntN(6)), Stamp: Stamp(1 + rng.IntN(12)), Writer: NodeID(1 + rng.IntN(3)), Deleted: rng.IntN(3) == 0}
		if id := [3]uint64{e.id(), uint64(e.Stamp), uint64(e.Writer)}; seen[id] {
			continue // a writer gives each of its writes a stamp of its own
		} else {
			seen[id] = true
		}
		if !e.Deleted {
			e.Value = fmt.Sprint("v", rng.IntN(1000))
		}
		all = append(all, e)
	}
	return all
}

func merged(entries ...*SharedEntry) *sharedMap {
	m := newSharedMap(1<<20, time.Hour)
	for _, e := range entries {
		m.put(e)
	}
	return &m
}

// join puts all of b into a.
func join(a, b *sharedMap) *sharedMap {
	for _, e := range b.inBuckets(^uint64(0)) {
		a.put(e)
	}
	return a
}

// equal compares two maps by content, and their hashes, sizes and buckets.
func equal(a, b *sharedMap) bool {
	if a.hash != b.hash || a.live != b.live || a.dead != b.dead || a.buckets != b.buckets {
		return false
	}
	return slices.EqualFunc(a.inBuckets(^uint64(0)), b.inBuckets(^uint64(0)), func(e, o *SharedEntry) bool { return *e == *o })
}

func TestMergingSharedMapsIsCommutativeAssociativeAndIdempotent(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		all := writes(rng)
		third := len(all) / 3
		x, y, z := all[:third], all[third:2*third], all[2*third:]
		if !equal(join(merged(x...), merged(y...)), join(merged(y...), merged(x...))) {
			t.Errorf("seed %d: the order of two matters", seed)
		}
		left := join(join(merged(x...), merged(y...)), merged(z...))
		right := join(merged(x...), join(merged(y...), merged(z...)))
		if !equal(left, right) {
			t.Errorf("seed %d: how three are grouped matters", seed)
		}
		once := merged(all...)
		if !equal(join(merged(all...), once), once) {
			t.Errorf("seed %d: merging again changes something", seed)
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if !equal(merged(slices.Concat(all, all)...), once) {
			t.Errorf("seed %d: order or duplicates matter", seed)
		}
	}
}

func TestMergingRecordsIsCommutativeAndIdempotent(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 2))
		_, o, deltas := history(rng, 1+rng.IntN(20))
		one, other := newStore(DefaultLimits()), newStore(DefaultLimits())
		for i := range deltas {
			one.apply(&deltas[i])
		}
		rng.Shuffle(len(deltas), func(i, j int) { deltas[i], deltas[j] = deltas[j], deltas[i] })
		for range 2 {
			for i := range deltas {
				other.apply(&deltas[i])
			}
		}
		whole := o.since(0, 0) // what was out of reach over a gap comes with the next exchange
		one.apply(&whole)
		other.apply(&whole)
		if one.hash != other.hash {
			t.Errorf("seed %d: order or duplicates matter", seed)
		}
	}
}

func TestADeadEntryGoesAfterTheHorizonAndNotBefore(t *testing.T) {
	const horizon = time.Hour
	now := Moment(1 << 40)
	m := merged(
		&SharedEntry{Key: "live", Value: "v", Stamp: stampAt(now.Add(-10 * horizon))},
		&SharedEntry{Key: "old", Stamp: stampAt(now.Add(-horizon - time.Second)), Deleted: true},
		&SharedEntry{Key: "young", Stamp: stampAt(now.Add(-horizon + time.Second)), Deleted: true},
		&SharedEntry{Key: "expired", Value: "v", Stamp: stampAt(now.Add(-10 * horizon)), Expires: int64(now.Add(-time.Second))},
	)
	hash := m.hash - m.find(SpaceUser, "old").hash()
	m.collect(now, false, 100)
	if m.find(SpaceUser, "old") != nil || m.find(SpaceUser, "young") == nil || m.find(SpaceUser, "live") == nil {
		t.Errorf("left: %v", m.inBuckets(^uint64(0)))
	}
	if e := m.find(SpaceUser, "expired"); e == nil || e.Value != "" || !e.Deleted {
		t.Errorf("what has expired is %+v, want a tombstone", e)
	}
	if m.hash != hash {
		t.Error("burying what has expired changed the hash")
	}
}

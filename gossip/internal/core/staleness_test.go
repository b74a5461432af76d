package core

import (
	"fmt"
	"testing"
	"time"
)

// A neighbour that writes a key again and again is ahead of this node in every comparison, and behind it in what this one writes.
func TestChangesOnTheirWayAreNoStalenessHoweverLongTheyFollowEachOther(t *testing.T) {
	l := newLoner(nil)
	l.meet(1, "b")
	theirs := newSharedMap(1<<20, time.Hour)
	var before *SharedEntry // what they have of this node's key: the write before the last
	for i := range 12 {
		written := l.write("key", 7)
		theirs.put(&written)
		l.receive(1, &SharedBuckets{Hashes: theirs.buckets})
		l.receive(1, &Beat{Wanted: true, Hash: l.Hash(), Shared: theirs.hash})
		l.pass(600 * time.Millisecond)
		l.receive(1, &SharedDelta{Entries: []SharedEntry{written}})
		if before != nil {
			theirs.put(before)
		}
		before = l.shared.find(SpaceUser, "own")
		l.do(SharedSet{Key: "own", Value: fmt.Sprint(i + 1)})
		l.pass(400 * time.Millisecond)
		if late := l.Staleness(); late > 4*time.Second {
			t.Fatalf("after %d s the node is %v behind, want 4 s at most", i+1, late)
		}
	}
	lost := l.write("lost", 7)
	theirs.put(&lost)
	for range 6 {
		l.receive(1, &SharedBuckets{Hashes: theirs.buckets})
		l.receive(1, &Beat{Wanted: true, Hash: l.Hash(), Shared: theirs.hash})
		l.pass(time.Second)
	}
	if late := l.Staleness(); late < 5*time.Second {
		t.Errorf("6 s after a write that does not come the node is %v behind", late)
	}
}

// slowed has intervals of minutes, as Tuning allows them.
func slowed(c *Config) {
	c.Heartbeat, c.Silence, c.Coalesce, c.Relax, c.Tombstone = time.Minute, 270*time.Second, 600*time.Millisecond, 30*time.Second, time.Hour
}

// With heartbeats of a minute a change waits for company for half a minute at each node on its way.
func TestANeighbourThatLagsByAChangeOnItsWayIsNoStalenessHoweverLongTheHeartbeat(t *testing.T) {
	l := newLoner(slowed)
	l.meet(1, "b")
	theirs := newSharedMap(1<<20, time.Hour)
	for i := range 12 {
		l.do(SharedSet{Key: "own", Value: fmt.Sprint(i)})
		l.pass(20 * time.Second)
		l.receive(1, &Beat{Wanted: true, Hash: l.Hash(), Shared: theirs.hash})
		l.pass(10 * time.Second)
		theirs.put(l.shared.find(SpaceUser, "own"))
		l.pass(30 * time.Second)
		if late := l.Staleness(); late != 0 {
			t.Fatalf("after %d heartbeats of a minute the node is %v behind, want 0", i+1, late)
		}
	}
	l.do(SharedSet{Key: "own", Value: "lost"})
	for range 6 {
		l.pass(time.Minute)
		l.receive(1, &Beat{Wanted: true, Hash: l.Hash(), Shared: theirs.hash})
	}
	if late := l.Staleness(); late < 3*time.Minute {
		t.Errorf("6 m after a write that the neighbour does not get the node is %v behind, want 3 m and more", late)
	}
}

// What a heartbeat was ahead by is looked up with the next one, a minute later.
func TestANeighbourThatLedByAChangeThatCameIsNoStalenessHoweverLongTheHeartbeat(t *testing.T) {
	l := newLoner(slowed)
	l.meet(1, "b")
	theirs := newSharedMap(1<<20, time.Hour)
	for i := range 12 {
		written := l.write("key", 7)
		theirs.put(&written)
		l.receive(1, &Beat{Wanted: true, Hash: l.Hash(), Shared: theirs.hash})
		l.pass(time.Second)
		l.receive(1, &SharedDelta{Entries: []SharedEntry{written}})
		l.do(SharedSet{Key: "own", Value: fmt.Sprint(i)})
		theirs.put(l.shared.find(SpaceUser, "own"))
		l.pass(59 * time.Second)
		if late := l.Staleness(); late > 2*time.Minute {
			t.Fatalf("after %d heartbeats of a minute the node is %v behind, want 2 m at most", i+1, late)
		}
	}
	lost := l.write("lost", 7)
	theirs.put(&lost)
	for range 6 {
		l.receive(1, &Beat{Wanted: true, Hash: l.Hash(), Shared: theirs.hash})
		l.pass(time.Minute)
	}
	if late := l.Staleness(); late < 5*time.Minute {
		t.Errorf("6 m after a write that does not come the node is %v behind, want 5 m and more", late)
	}
}

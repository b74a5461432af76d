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

package core

import (
	"fmt"
	"slices"
	"testing"
	"time"
	"unsafe"
)

// A node has one of each for every member: a field more is 8 bytes in each of n nodes for each of n members. The bounds are size classes
// of the allocator.
func TestWhatANodeHasOfEachMemberIsSmall(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the bounds are those of 64-bit platforms")
	}
	for name, s := range map[string]struct{ size, most uintptr }{
		"slot":   {unsafe.Sizeof(slot{}), 112},
		"record": {unsafe.Sizeof(record{}), 144},
		"Entry":  {unsafe.Sizeof(Entry{}), 48},
	} {
		if s.size > s.most {
			t.Errorf("%s takes %d bytes, want at most %d", name, s.size, s.most)
		}
	}
}

func TestANodeAtRestKeepsNothingOfWhatItHasPulled(t *testing.T) {
	l := among(3)
	entries := make([]DigestEntry, 100)
	for i := range entries {
		entries[i] = DigestEntry{Node: HashID(fmt.Sprint("far", i)), Generation: 1, Version: 1}
	}
	l.receive(1, &Digest{Mask: ^uint64(0), Entries: entries})
	if len(l.records.pulls) == 0 {
		t.Fatal("nothing is asked for")
	}
	for range maxAsks {
		l.receive(1, &Delta{Last: true})
	}
	l.live(askTimeout + 2*time.Second)
	x := &l.links.byID[1].records
	held := slices.ContainsFunc(x.asks[:cap(x.asks)], func(a ask) bool { return a.items != nil }) // asks for hashes may be under way
	if l.records.pulls != nil || x.missing != nil || held {
		t.Errorf("there is room for %d pulls and %d claims; asks have items: %v", len(l.records.pulls), cap(x.missing), held)
	}
}

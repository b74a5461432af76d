package engine

import (
	"maps"
	"slices"
	"testing"
)

// newTestWriter makes a map in a cluster of two, and a list of what changed in it.
func newTestWriter() (*lastWriter, *[]entry) {
	var changes []entry
	w := newLastWriter(4, func() int { return 2 }, func(e entry) { changes = append(changes, e) })
	return w, &changes
}

func TestTheLastWriterOfAKeyWins(t *testing.T) {
	w, changes := newTestWriter()
	newest := entry{"k", "b", 7}
	for _, e := range []entry{{"k", "x", 5}, {"k", "a", 7}, newest, {"k", "a", 7}, {"k", "z", 6}, newest} {
		w.putEntry(e)
	}
	if want := []entry{{"k", "x", 5}, {"k", "a", 7}, newest}; !slices.Equal(*changes, want) {
		t.Errorf("changes = %v, want %v", *changes, want)
	}
	if n := w.broadcasts.NumQueued(); n != 1 {
		t.Errorf("%d broadcasts of one key are queued, want the newest alone", n)
	}
	w.set("k", "c")
	if got := w.entries["k"]; got.value != "c" || got.stamp <= newest.stamp {
		t.Errorf("after a write of our own the entry is %+v", got)
	}
}

func TestAMemberCatchesUpByStateAndByBroadcast(t *testing.T) {
	a, _ := newTestWriter()
	if b := a.encodeState(); b != nil {
		t.Errorf("the state of an empty map is %q, want none", b)
	}
	a.set("k", "1")
	a.set("l", "")
	byState, _ := newTestWriter()
	if err := byState.mergeEntries(a.encodeState()); err != nil {
		t.Fatal(err)
	}
	byBroadcast, _ := newTestWriter()
	for _, msg := range a.broadcasts.GetBroadcasts(0, 1400) {
		if err := byBroadcast.mergeEntries(msg); err != nil {
			t.Fatal(err)
		}
	}
	for name, w := range map[string]*lastWriter{"state": byState, "broadcast": byBroadcast} {
		if !maps.Equal(w.entries, a.entries) {
			t.Errorf("by %s: %v, want %v", name, w.entries, a.entries)
		}
		if w.broadcasts.NumQueued() != 2 {
			t.Errorf("what came by %s is not passed on", name)
		}
	}
}

func TestABrokenEntryIsRefused(t *testing.T) {
	whole := entry{"key", "value", 1 << 40}.append(nil)
	for n := 1; n < len(whole); n++ {
		if _, _, err := cutEntry(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are taken", n, len(whole))
		}
	}
	huge := []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'x'}
	w, changes := newTestWriter()
	if err := w.mergeEntries(append(whole, huge...)); err == nil || len(*changes) != 1 {
		t.Errorf("merge = %v with %d changes, want an error behind the first", err, len(*changes))
	}
}

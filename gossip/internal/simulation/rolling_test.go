package simulation

import (
	"testing"
	"time"
)

// A rolling update replaces one node after the other, as soon as the newcomer is up everywhere.
func TestNoMemberIsMissedWhileAllNodesAreReplaced(t *testing.T) {
	for size, seeds := range map[int]uint64{5: 40, 32: 6} {
		for seed := range seeds {
			replaceAll(t, size, seed)
		}
	}
}

func replaceAll(t *testing.T, size int, seed uint64) {
	t.Helper()
	settings := DefaultSettings(2*size, seed)
	settings.LatencyMax = 30 * time.Millisecond // hosts are busy
	w := New(settings)
	v := NewWatch(w)
	for _, n := range w.Nodes[:size] {
		n.Start(w.Nodes[0].Addr)
	}
	if !w.Run(time.Minute, v.Complete) {
		t.Fatalf("seed %d: %d nodes did not form", seed, size)
	}
	w.Run(20*time.Second, nil)
	for i := range size {
		in, out := w.Nodes[size+i], w.Nodes[i]
		in.Start(w.Nodes[i+1].Addr)
		if !w.Run(10*time.Second, func() bool { return allUpToEachOther(w, v) }) {
			t.Fatalf("seed %d: %s did not get in", seed, in.ID)
		}
		v.Deaths = nil
		out.Leave()
		if !w.Run(10*time.Second, func() bool { return !out.Running() && allUpToEachOther(w, v) }) {
			t.Fatalf("seed %d: %s is not gone", seed, out.ID)
		}
		for _, d := range v.Deaths {
			if d.Subject != out.Index && d.Observer != out.Index {
				t.Errorf("seed %d: %d nodes: %s missed %s while %s left", seed, size, w.Nodes[d.Observer].ID, w.Nodes[d.Subject].ID, out.ID)
			}
		}
	}
}

// allUpToEachOther reports whether all running nodes have exactly each other up.
func allUpToEachOther(w *World, v *Watch) bool {
	for _, a := range w.Nodes {
		for _, b := range w.Nodes {
			if a != b && a.Running() && v.Up(a.Index, b.Index) != b.Running() {
				return false
			}
		}
	}
	return true
}

package quorum

import (
	"errors"
	"testing"
	"testing/synctest"
)

func TestRequestsAreCountedByWhatBecameOfThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := startQuorum(t, nil, "a", "b", "c")
		q.awaitLeader("a", "b", "c")
		m := q.all["a"].Map()
		before := q.all["a"].Counters()
		if _, err := m.Set(t.Context(), "k", "v"); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Set(t.Context(), "k", "w", IfIndex(0)); !errors.Is(err, ErrConflict) {
			t.Fatalf("a write under an old index: %v, want %v", err, ErrConflict)
		}
		after := q.all["a"].Counters()
		if ok, conflict := after.OK-before.OK, after.Conflict-before.Conflict; ok != 2 || conflict != 1 { // a write reads the index first
			t.Errorf("%d requests were carried out and %d met a conflict, want 2 and 1", ok, conflict)
		}
		if after.Time.Count() != before.Time.Count()+3 {
			t.Errorf("the times of %d requests were taken, want 3", after.Time.Count()-before.Time.Count())
		}
	})
}

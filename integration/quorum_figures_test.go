package integration

import (
	"slices"
	"sync"
	"testing"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

// figures are what all histories had, together.
type figures struct {
	mu                                                             sync.Mutex
	count, leaderChanged, ownerChanged                             int
	calls, reads, owners, moves, overlaps, fewest, failed, unknown int
	faults                                                         map[string]int
}

// report logs the figures and checks that together they show what each alone need not.
func (f *figures) report(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return
	}
	for _, fault := range processFaults {
		t.Logf("%d histories with %s", f.faults[fault.name], fault.name)
	}
	t.Logf("%d histories: %d with another leader, %d with another holder of a shard; %d calls, of which %d failed and %d have an unknown outcome; %d reads of keys, %d of holders, %d moves",
		f.count, f.leaderChanged, f.ownerChanged, f.calls, f.failed, f.unknown, f.reads, f.owners, f.moves)
	t.Logf("%d pairs of calls on one key or shard at once, %d at least in a history; each history was rejected with a stale read of a key, and those with another holder with one of a holder", f.overlaps, f.fewest)
	switch {
	case f.count != *histories:
		t.Errorf("%d histories, want %d", f.count, *histories)
	case f.leaderChanged*4 < f.count:
		t.Errorf("the leader changed in %d of %d histories, want a quarter at least", f.leaderChanged, f.count)
	case f.ownerChanged*4 < f.count:
		t.Errorf("a shard went to another holder in %d of %d histories, want a quarter at least", f.ownerChanged, f.count)
	case f.count >= 100 && (f.unknown == 0 || f.failed == 0):
		t.Errorf("%d calls failed and %d have an unknown outcome, want some of both", f.failed, f.unknown)
	}
}

// count adds a history that was accepted.
func (h *recording) count(all *figures, overlaps int, ownerChanged bool) {
	begin, end := h.times()
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.count == 0 || overlaps < all.fewest {
		all.fewest = overlaps
	}
	all.count++
	all.faults[h.fault]++
	all.overlaps += overlaps
	if ownerChanged {
		all.ownerChanged++
	}
	if slices.ContainsFunc(h.leads, func(l quorumlab.Lead) bool { return l.At > begin && l.At < end }) {
		all.leaderChanged++
	}
	all.calls += len(h.calls)
	for _, c := range h.calls {
		switch {
		case c.OutcomeUnknown:
			all.unknown++
		case c.Failed:
			all.failed++
		case c.Op == "get":
			all.reads++
		case c.Op == "owner":
			all.owners++
		case c.Op == "move":
			all.moves++
		}
	}
}

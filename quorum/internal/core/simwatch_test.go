package core

import (
	"maps"
	"time"
)

// simWatch is a member's watch of the whole map.
type simWatch struct {
	id uint64 // of the request; 0: none
	mapFollower
}

// nextWatch has a node watch the map from now on.
func (s *simulation) nextWatch(n *simNode) {
	s.w.After(s.w.Rand2(300*time.Millisecond), nil, func() {
		if n.host.Running() && !n.host.Frozen() && n.core.birth != 0 && n.watch.id == 0 {
			s.requests.nextID++
			n.watch.id = s.requests.nextID
			since := n.watch.since
			if n.watch.after != "" {
				since = 0
			}
			n.step(Watch{ID: n.watch.id, Since: since, After: n.watch.after, Timeout: 5 * time.Second})
		}
		s.nextWatch(n)
	})
}

func (n *simNode) watchResult(o Result) {
	n.watch.id = 0
	if o.Code != OK {
		return
	}
	if n.watch.has == nil {
		n.watch.has = map[string]string{}
	}
	if !o.Whole && o.Index < n.watch.since {
		n.s.fail("watch", "%s: of index %d after %d", n, o.Index, n.watch.since)
	}
	n.watch.take(mapPage{Changes: o.Changes, Index: o.Index, Whole: o.Whole, More: o.More})
}

// checkWatches demands that every watch has the whole map at the end, once one whose frames were lost has been asked again.
func (s *simulation) checkWatches() {
	s.until(12*time.Second, func() bool { return s.staleWatch() == nil })
	if n := s.staleWatch(); n != nil {
		s.fail("watch", "%s has %q as of %d", n, n.watch.has, n.watch.since)
	}
}

// staleWatch returns a node whose watch does not have the map, nil if there is none.
func (s *simulation) staleWatch() *simNode {
	want := map[string]string{}
	for key, it := range s.check.model.kv.items {
		want[key] = string(it.value)
	}
	for _, n := range s.nodes {
		if !maps.Equal(n.watch.has, want) {
			return n
		}
	}
	return nil
}

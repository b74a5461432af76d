package simulation

import (
	"fmt"
	"time"
)

// reachability knows which nodes can reach which, by the world alone: over paths of streams that are open at both ends, between
// processes that run, with nothing cut, for longer than a bound. What the nodes believe plays no part, so no link is exempt.
type reachability struct {
	w     *World
	since []time.Duration // by pair a*n+b, b < a: since when their stream is unharmed; 0: there is none
	group []int           // by node, as of the last observe
}

func newReach(w *World) *reachability {
	n := len(w.Nodes)
	return &reachability{w: w, since: make([]time.Duration, n*n), group: make([]int, n)}
}

// isHealthy reports whether a process runs, is not frozen, and reads what comes.
func (w *World) isHealthy(n *Node) bool {
	return n.Running() && n.stalled <= w.Now && n.Gone == "" && n.reads == 0
}

// updateGroups looks at all streams, and groups the nodes by paths over those that were unharmed for longer than bound.
func (r *reachability) updateGroups(bound time.Duration) {
	w, n := r.w, len(r.w.Nodes)
	open := make([]time.Duration, n*n)
	for _, a := range w.Nodes {
		for _, s := range a.streams { // in any order: the oldest counts
			b := s.node[1-s.endOf(a)]
			if b.Index < a.Index && s.isOpenAtBothEnds() && w.isHealthy(a) && w.isHealthy(b) && !w.isBlocked(a, b) && !w.isBlocked(b, a) {
				at := &open[a.Index*n+b.Index]
				if *at == 0 || s.open < *at {
					*at = max(1, s.open)
				}
			}
		}
	}
	for i := range r.group {
		r.group[i] = i
	}
	for a := range n {
		for b := range a {
			s := &r.since[a*n+b]
			switch {
			case open[a*n+b] == 0:
				*s = 0
			case *s == 0, *s < open[a*n+b] && open[a*n+b] > 1: // new, or another stream than before
				*s = w.Now
			}
			if *s != 0 && w.Now-*s >= bound {
				r.joinGroups(a, b)
			}
		}
	}
}

// isOpenAtBothEnds reports whether both ends hold the stream.
func (s *stream) isOpenAtBothEnds() bool {
	for i, n := range s.node {
		if s.closed[i] || n.life != s.life[i] || n.streams[s.link[i]] != s {
			return false
		}
	}
	return true
}

func (r *reachability) joinGroups(a, b int) {
	from, to := r.group[a], r.group[b]
	for i, g := range r.group {
		if g == from {
			r.group[i] = to
		}
	}
}

// streamAge is for how long two nodes have had an unharmed stream, 0 if they have none.
func (r *reachability) streamAge(a, b *Node) time.Duration {
	if a.Index < b.Index {
		a, b = b, a
	}
	if s := r.since[a.Index*len(r.w.Nodes)+b.Index]; s != 0 {
		return r.w.Now - s
	}
	return 0
}

// reachableIsUp returns the first pair of which one is not up to the other, though a path exists.
func (r *reachability) reachableIsUp() error {
	for _, a := range r.w.Nodes {
		for _, b := range r.w.Nodes {
			if a != b && r.group[a.Index] == r.group[b.Index] && !a.Core.IsUp(b.hash) {
				return fmt.Errorf("%s is not up to %s, though a path of open streams exists", b.ID, a.ID)
			}
		}
	}
	return nil
}

// groups returns the nodes of each group of two or more.
func (r *reachability) groups() (all [][]*Node) {
	for first := range r.group {
		var g []*Node
		for i, n := range r.w.Nodes {
			if r.group[i] == first {
				g = append(g, n)
			}
		}
		if len(g) > 1 {
			all = append(all, g)
		}
	}
	return all
}

package gossip

import (
	"context"
	"iter"
	"maps"
	"sync"
)

// Change is what a watcher is told: the newest view, and what differs from the one before.
type Change struct {
	View    *View
	Joined  []Member // up now, and not before
	Lost    []Member // up before: down or left now
	Updated []Member // other keys, address or generation
}

// watchers wakes those who wait for a new view.
type watchers struct {
	mu   sync.Mutex
	next chan struct{} // closed when there is a newer view
}

func (w *watchers) init() { w.next = make(chan struct{}) }

func (w *watchers) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.next)
	w.next = make(chan struct{})
}

func (w *watchers) wait() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// Watch yields the present view, with everybody who is up as joined, and then each newer one that differs, until ctx
// or the node ends. A slow reader misses views in between, never the newest, and holds up nobody.
func (n *Node) Watch(ctx context.Context) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		last, first := &View{}, true
		for now := range n.views(ctx) {
			c := diff(last, now)
			if (first || len(c.Joined)+len(c.Lost)+len(c.Updated) > 0) && !yield(c) {
				return
			}
			last, first = now, false
		}
	}
}

// views yields the present view and then each newer one that its reader is in time for, until ctx or the node ends.
func (n *Node) views(ctx context.Context) iter.Seq[*View] {
	return func(yield func(*View) bool) {
		for {
			next := n.watch.wait()
			now := n.View()
			if !yield(now) {
				return
			}
			select {
			case <-next:
			case <-ctx.Done():
				return
			case <-n.done:
				if n.View() == now {
					return
				}
			}
		}
	}
}

// diff compares two views, both sorted by ID.
func diff(before, after *View) Change {
	c := Change{View: after}
	old := make(map[string]*Member, len(before.Members))
	for i := range before.Members {
		old[before.Members[i].ID] = &before.Members[i]
	}
	for _, m := range after.Members {
		was := old[m.ID]
		delete(old, m.ID)
		switch up := isUp(m); {
		case up && (was == nil || !isUp(*was)):
			c.Joined = append(c.Joined, m)
		case !up && was != nil && isUp(*was):
			c.Lost = append(c.Lost, m)
		case was != nil && (m.Generation != was.Generation || m.Addr != was.Addr || !maps.Equal(m.Keys, was.Keys)):
			c.Updated = append(c.Updated, m)
		}
	}
	for _, m := range before.Members {
		if old[m.ID] != nil && isUp(m) {
			c.Lost = append(c.Lost, m)
		}
	}
	return c
}

func isUp(m Member) bool { return m.Status == Up || m.Status == Degraded }

package gossip

import (
	"context"
	"iter"
	"sync"
)

// Change is one step of [Node.Watch]: the newest view, and what differs from the one before.
type Change struct {
	View    *View
	Joined  []*Member // up now, and not before
	Lost    []*Member // up before: down, left or forgotten now
	Updated []*Member // other keys, address or generation
}

// watchers wakes the goroutines that wait for a new view.
type watchers struct {
	mu   sync.Mutex
	next chan struct{} // closed when there is a newer view
}

func (w *watchers) init() { w.next = make(chan struct{}) }

func (w *watchers) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.next)
	w.next = make(chan struct{})
}

func (w *watchers) nextChanged() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}

// Watch yields the present view, with every member that is up as joined, and then each newer one that differs, until ctx
// or the node ends. A slow reader misses views in between, never the newest, and delays no other reader.
func (n *Node) Watch(ctx context.Context) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		last, first := &View{}, true
		for now := range n.eachView(ctx) {
			c := diffViews(last, now)
			if (first || len(c.Joined)+len(c.Lost)+len(c.Updated) > 0) && !yield(c) {
				return
			}
			last, first = now, false
		}
	}
}

// eachView yields the present view and then each newer one that its reader is in time for, until ctx or the node ends.
func (n *Node) eachView(ctx context.Context) iter.Seq[*View] {
	return func(yield func(*View) bool) {
		for {
			next := n.watch.nextChanged()
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

// diffViews compares two views.
func diffViews(before, after *View) Change {
	c := Change{View: after}
	for was, is := range after.Since(before) {
		switch up, wasUp := is != nil && is.Up(), was != nil && was.Up(); {
		case up && !wasUp:
			c.Joined = append(c.Joined, is)
		case wasUp && is == nil:
			c.Lost = append(c.Lost, was)
		case wasUp && !up:
			c.Lost = append(c.Lost, is)
		case was != nil && is != nil && (is.Generation != was.Generation || is.Addr != was.Addr || !is.sameKeys(was)):
			c.Updated = append(c.Updated, is)
		}
	}
	return c
}

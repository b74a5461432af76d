package core

import (
	"slices"
	"time"
)

// setLazy changes a link for both of its ends.
func (f *sharedFlood) setLazy(l *link, on bool) {
	if l.lazy != on {
		l.lazy = on
		f.send(l, &Lazy{On: on})
	}
}

// onLazy takes over what the peer made of a link. The last eager link stays one.
func (f *sharedFlood) onLazy(l *link, lazy *Lazy) {
	l.lazy = lazy.On
	if !lazy.On {
		l.grafted = f.now()
	}
	if lazy.On && !slices.ContainsFunc(f.links.list, func(o *link) bool { return !o.lazy }) {
		f.setLazy(l, false)
	}
}

// observe learns from a write that came over a link, or is our own, where the tree has circles. Of the writes of one writer each node
// gets every one first over the link that leads to the writer, so the links that bring it again close circles, and all of them
// can go at once. Links judged by the writes of several would go all together, and the tree with them. The writer that counts, the
// root, is the one of the lowest ID that has written lately, which all members soon agree on.
func (f *sharedFlood) observe(l *link, e *SharedEntry, fresh bool) {
	now := f.now()
	if e.Space != SpaceUser {
		return
	}
	if f.rootAt == 0 || e.Writer < f.root || now-f.rootAt > rootLasts {
		f.root = e.Writer
		for _, o := range f.links.list {
			o.circle = false
		}
	}
	if e.Writer != f.root {
		return
	}
	f.rootAt = max(1, now)
	if l == nil {
		return
	}
	if l.circle = !fresh; l.circle {
		soonest(&f.pruneAt, now+5*f.cfg.Coalesce)
	}
}

// rootLasts is for how long a writer that writes no more counts.
const rootLasts = 10 * time.Second

// prune makes the links lazy that close circles, but not the last eager one, and not those over which a lost write was asked for of
// late.
func (f *sharedFlood) prune() {
	now, eager := f.now(), 0
	for _, l := range f.links.list {
		if !l.lazy {
			eager++
		}
	}
	for _, l := range f.links.list {
		if l.circle && !l.lazy && eager > 1 && (l.grafted == 0 || now-l.grafted >= graftLasts) {
			f.setLazy(l, true)
			eager--
		}
		l.circle = false
	}
}

// graftLasts is how long a link stays eager that was asked for a lost write.
const graftLasts = 10 * time.Second

// tendTree makes all links eager when an eager one has ended: which part of the tree hung on it is not known here. The circles that
// this makes end with the next writes.
func (f *sharedFlood) tendTree() {

	lost := slices.ContainsFunc(f.eager, func(id LinkID) bool { return f.links.byID[id] == nil })
	f.eager = f.eager[:0]
	for _, l := range f.links.list {
		if lost {
			f.setLazy(l, false)
		}
		if !l.lazy {
			f.eager = append(f.eager, l.id)
		}
	}
}

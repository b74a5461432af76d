package core

import (
	"container/heap"
	"time"
)

// floorLag is how long a tombstone is kept whatever the room is: only a node that was cut off for longer can bring back a key whose
// tombstone had to go early.
const floorLag = 10 * time.Minute

// ended is an entry that the passing of time has changed.
type ended struct {
	entry *SharedEntry // as it is now, or was last
	gone  bool         // it is not in the map any more
}

// collect does what is due at a moment, at most so many entries of it, and returns what changed:
//
//   - a value whose time to live is over becomes a tombstone;
//   - a tombstone of the horizon's age goes;
//   - when the tombstones of the application take more than the limit, the oldest go, until they take 7/8 of it, and the floor
//     rises to the moment of death of the last that went. It never rises above floorLag before now, so no more than about
//     limit / (entryCost + length of a key) keys can die in floorLag: 175 a second with the limit at 8 MiB and keys of 16 bytes.
//
// With hold, no tombstone goes.
func (m *sharedMap) collect(now Moment, hold bool, most int) (out []ended) {
	for c := m.expiring.first(); c != nil && c.due <= now && len(out) < most; c = m.expiring.first() {
		out = append(out, m.bury(c))
	}
	if hold {
		return out
	}
	for _, h := range []*cellHeap{&m.graves, &m.words} {
		for c := h.first(); c != nil && now.Sub(c.due) > m.horizon && len(out) < most; c = h.first() {
			out = append(out, ended{c.entry, true})
			m.drop(c.id)
		}
	}
	m.shrinking = m.shrinking && m.dead > m.limit*7/8 || m.dead > m.limit
	for c := m.graves.first(); c != nil && m.ripe(c, now) && len(out) < most; c = m.graves.first() {
		m.floor = max(m.floor, c.due)
		out = append(out, ended{c.entry, true})
		m.drop(c.id)
		m.shrinking = m.shrinking && m.dead > m.limit*7/8
	}
	return out
}

// ripe reports whether a tombstone goes for want of room: here, or at a neighbour with a higher floor.
func (m *sharedMap) ripe(c *cell, now Moment) bool {
	return m.outlived(c.entry) || m.shrinking && c.due <= now.Add(-floorLag)
}

// bury replaces a value that has expired by its tombstone.
func (m *sharedMap) bury(c *cell) ended {
	b := c.entry.buried()
	if m.outlived(b) {
		m.drop(c.id)
		return ended{b, true}
	}
	m.replace(b)
	return ended{b, false}
}

// next is the moment from which on collect has something to do, 0 if there is none.
func (m *sharedMap) next(hold bool) (at Moment) {
	soonest := func(t Moment) {
		if at == 0 || t < at {
			at = max(t, 1)
		}
	}
	if c := m.expiring.first(); c != nil {
		soonest(c.due)
	}
	if hold {
		return at
	}
	for _, h := range []*cellHeap{&m.graves, &m.words} {
		if c := h.first(); c != nil {
			soonest(c.due.Add(m.horizon + time.Millisecond))
		}
	}
	if c := m.graves.first(); c != nil && m.outlived(c.entry) {
		soonest(c.due)
	} else if c != nil && (m.shrinking || m.dead > m.limit) {
		soonest(c.due.Add(floorLag))
	}
	return at
}

// canBury reports whether there is room for one more tombstone of a key, or would be after the next collect.
func (m *sharedMap) canBury(key string, now Moment) bool {
	if m.dead+entryCost+len(key) <= m.limit {
		return true
	}
	c := m.graves.first()
	return c != nil && c.due <= now.Add(-floorLag)
}

// raise takes over a floor, from the own disk or a neighbour. One that no right clock can have set counts as the highest that is
// possible now.
func (m *sharedMap) raise(floor, now Moment) Moment {
	floor = min(floor, now.Add(-floorLag))
	m.floor = max(m.floor, floor)
	return floor
}

// dropBefore drops the entries of the application that were written up to a moment, and returns them.
func (m *sharedMap) dropBefore(at Moment) (out []ended) {
	for _, e := range m.inBuckets(^uint64(0)) {
		if e.Space == SpaceUser && MomentAt(e.Stamp.Time()) <= at {
			m.drop(e.id())
			out = append(out, ended{e, true})
		}
	}
	return out
}

// cellHeap orders cells by the moment they wait for, and by ID within one. A cell is in one heap at most.
type cellHeap struct{ cells []*cell }

func (h *cellHeap) first() *cell {
	if len(h.cells) == 0 {
		return nil
	}
	return h.cells[0]
}

func (h *cellHeap) push(c *cell)   { heap.Push(h, c) }
func (h *cellHeap) remove(c *cell) { heap.Remove(h, c.index) }

// Len is of heap.Interface, as are the following.
func (h *cellHeap) Len() int { return len(h.cells) }

// Less orders by moment, then by ID.
func (h *cellHeap) Less(i, j int) bool {
	a, b := h.cells[i], h.cells[j]
	return a.due < b.due || a.due == b.due && a.id < b.id
}

// Swap keeps the index of both cells.
func (h *cellHeap) Swap(i, j int) {
	h.cells[i], h.cells[j] = h.cells[j], h.cells[i]
	h.cells[i].index, h.cells[j].index = i, j
}

// Push appends a cell.
func (h *cellHeap) Push(x any) {
	c := x.(*cell)
	c.index = len(h.cells)
	h.cells = append(h.cells, c)
}

// Pop takes the last cell away.
func (h *cellHeap) Pop() any {
	last := len(h.cells) - 1
	c := h.cells[last]
	h.cells[last] = nil
	h.cells = h.cells[:last]
	return c
}

package core

import "container/heap"

// heldEntries are entries of the future: taken from the own disk, or written when cluster time was another one. No neighbour would
// take them yet. They are sent when cluster time gets near their stamps.
type heldEntries struct{ list []*SharedEntry }

func (h *heldEntries) add(e *SharedEntry) { heap.Push(h, e) }

// Len is of heap.Interface, as are the following.
func (h *heldEntries) Len() int { return len(h.list) }

// Less orders by write.
func (h *heldEntries) Less(i, j int) bool { return h.list[j].newer(h.list[i]) }

// Swap exchanges two entries.
func (h *heldEntries) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }

// Push appends an entry.
func (h *heldEntries) Push(x any) { h.list = append(h.list, x.(*SharedEntry)) }

// Pop takes the last entry away.
func (h *heldEntries) Pop() any {
	last := len(h.list) - 1
	e := h.list[last]
	h.list[last] = nil
	h.list = h.list[:last]
	return e
}

// sendHeld sends the entries that are of the future no longer, if nothing newer has taken their place.
func (f *sharedFlood) sendHeld() {
	for len(f.held.list) > 0 && !f.cluster.isFuture(f.held.list[0].Stamp) {
		e := heap.Pop(&f.held).(*SharedEntry)
		if now := f.shared.byID(e.id()); now != nil && now.Stamp == e.Stamp && now.Writer == e.Writer {
			f.spread(now, 0, 0)
		}
	}
}

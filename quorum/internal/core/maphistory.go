package core

// maxHistory bounds the changes of the map that are remembered for watches. One that was away for more of them reads all keys again.
const maxHistory = 8192

// mapHistory is which keys of the map changed last, in the order of the log. Each voter has it for the entries that it applied itself: it
// is no part of the state, and a snapshot begins a new one.
type mapHistory struct {
	since   uint64 // all changes after this index are here
	changes []mapTouch
	newest  map[string]uint64 // the index of the last change of a key
}

// mapTouch is a key that changed at an index.
type mapTouch struct {
	index uint64
	key   string
}

// note adds a change.
func (h *mapHistory) note(index uint64, key string) {
	if h.newest == nil {
		h.newest = map[string]uint64{}
	}
	if len(h.changes) == maxHistory {
		h.forget(maxHistory / 2)
	}
	h.changes = append(h.changes, mapTouch{index, key})
	h.newest[key] = index
}

// forget drops the first n changes, in one step for many, so that it costs little for each.
func (h *mapHistory) forget(n int) {
	for _, t := range h.changes[:n] {
		if h.newest[t.key] == t.index {
			delete(h.newest, t.key)
		}
	}
	h.since = h.changes[n-1].index
	h.changes = append([]mapTouch(nil), h.changes[n:]...)
}

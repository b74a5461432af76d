package gossip

import (
	"sync/atomic"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// readableMap is the shared map as its readers see it: what the outputs of the core made of it, and nothing else. It is a hash table
// with one writer, the loop, and any number of readers, which take no lock and allocate nothing. A write costs O(1): it replaces
// one chain of a slot, and chains are never changed. The table is in many parts so that growing, which copies a part, is short.
type readableMap struct {
	parts [readableParts]readablePart
}

const readableParts = 256

// readablePart is a hash table by the upper bits of the ID; the lower ones chose the part.
type readablePart struct {
	slots atomic.Pointer[[]readableSlot] // a power of two; nil: empty
	count int                            // of the writer alone
}

type readableSlot = atomic.Pointer[readableNode]

// readableNode is an entry in the chain of a slot. It is immutable.
type readableNode struct {
	id    uint64
	entry *core.SharedEntry
	next  *readableNode
}

func slotOf(slots []readableSlot, id uint64) *readableSlot {
	return &slots[id>>8&uint64(len(slots)-1)]
}

// load returns the entry of an ID, nil if there is none.
func (m *readableMap) load(id uint64) *core.SharedEntry {
	slots := m.parts[id%readableParts].slots.Load()
	if slots == nil {
		return nil
	}
	for n := slotOf(*slots, id).Load(); n != nil; n = n.next {
		if n.id == id {
			return n.entry
		}
	}
	return nil
}

// each yields all entries, in no order. It may miss what is written meanwhile.
func (m *readableMap) each(yield func(*core.SharedEntry) bool) {
	for i := range m.parts {
		slots := m.parts[i].slots.Load()
		if slots == nil {
			continue
		}
		for j := range *slots {
			for n := (*slots)[j].Load(); n != nil; n = n.next {
				if !yield(n.entry) {
					return
				}
			}
		}
	}
}

// store puts an entry in the place of the one with its ID; nil removes that. Only one goroutine may call it.
func (m *readableMap) store(id uint64, e *core.SharedEntry) {
	p := &m.parts[id%readableParts]
	p.makeRoom()
	slot := slotOf(*p.slots.Load(), id)
	rest, had := chainWithout(slot.Load(), id)
	if had {
		p.count--
	}
	if e != nil {
		rest = &readableNode{id, e, rest}
		p.count++
	}
	slot.Store(rest)
}

// chainWithout returns a chain without an ID, sharing what comes after it, and whether it had it.
func chainWithout(n *readableNode, id uint64) (rest *readableNode, had bool) {
	switch {
	case n == nil:
		return nil, false
	case n.id == id:
		return n.next, true
	}
	if rest, had = chainWithout(n.next, id); !had {
		return n, false
	}
	return &readableNode{n.id, n.entry, rest}, true
}

// makeRoom doubles the slots when there are as many entries. Readers of the old slots see the map as it was before.
func (p *readablePart) makeRoom() {
	old := p.slots.Load()
	if old != nil && p.count < len(*old) {
		return
	}
	size := 4
	if old != nil {
		size = 2 * len(*old)
	}
	next := make([]readableSlot, size)
	if old != nil {
		for i := range *old {
			for n := (*old)[i].Load(); n != nil; n = n.next {
				slot := slotOf(next, n.id)
				slot.Store(&readableNode{n.id, n.entry, slot.Load()})
			}
		}
	}
	p.slots.Store(&next)
}

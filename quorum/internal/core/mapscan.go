package core

import (
	"sort"
	"strings"
)

// MapChange is a key of the map as its last write left it.
type MapChange struct {
	Key     string
	Value   []byte
	Index   uint64 // of the entry that wrote or deleted it
	Deleted bool
}

// mapPage is an answer to a watch. Whole: the changes are all keys with the prefix, in their order, and More follow after the last one.
// Otherwise they are what changed after the index that was asked for, up to Index, each key once.
type mapPage struct {
	Changes []MapChange
	Index   uint64
	Whole   bool
	More    bool
}

// maxPage is about how many bytes an answer to a watch has. It has all changes of one entry of the log in any case.
const maxPage = 128 << 10

// scan returns what a watch of a prefix lacks after an index, at the applied index given: changes if the history has them, else keys
// after the one named. A page of keys says to begin with changes after its own index once all pages are there.
func (m *kvMap) scan(prefix string, since uint64, after string, applied uint64) mapPage {
	if since < m.history.since || since == 0 {
		return m.scanKeys(prefix, after, applied)
	}
	p := mapPage{Index: applied}
	changes, bytes := m.history.changes, 0
	first := sort.Search(len(changes), func(i int) bool { return changes[i].index > since })
	for i, t := range changes[first:] {
		if bytes >= maxPage && t.index != changes[first+i-1].index {
			p.Index, p.More = changes[first+i-1].index, true
			break
		}
		if m.history.newest[t.key] != t.index || !strings.HasPrefix(t.key, prefix) {
			continue
		}
		c := m.change(t.key)
		if c.Deleted {
			c.Index = t.index
		}
		p.Changes = append(p.Changes, c)
		bytes += len(c.Key) + len(c.Value)
	}
	return p
}

// scanKeys returns a page of the keys with a prefix after one of them.
func (m *kvMap) scanKeys(prefix, after string, applied uint64) mapPage {
	p, bytes := mapPage{Index: applied, Whole: true}, 0
	m.order.Ascend(max(prefix, after), func(key string) bool {
		switch {
		case key <= after && after != "":
			return true
		case !strings.HasPrefix(key, prefix):
			return false
		case bytes >= maxPage:
			p.More = true
			return false
		}
		p.Changes = append(p.Changes, m.change(key))
		bytes += len(key) + len(m.items[key].value)
		return true
	})
	return p
}

// change returns a key as it is now.
func (m *kvMap) change(key string) MapChange {
	it := m.items[key]
	if it == nil {
		return MapChange{Key: key, Deleted: true}
	}
	return MapChange{Key: key, Value: it.value, Index: it.index}
}

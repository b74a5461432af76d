package core

import (
	"cmp"
	"slices"
)

// entryIndex finds the entries of a record, tombstones included. Most records have no keys of their application and one entry of
// another kind, and a node has all records: a map for each would be most of its memory.
type entryIndex struct {
	user  *keySet  // of KindUser; nil: none
	other []*Entry // of other kinds, ascending by kind and key
}

// get returns an entry, nil if there is none.
func (x *entryIndex) get(k Kind, key string) *Entry {
	if k != KindUser {
		if i, found := x.search(k, key); found {
			return x.other[i]
		}
		return nil
	}
	return x.user.get(key)
}

// set puts an entry in the place of the one with its kind and key, which it returns; nil if there was none.
func (x *entryIndex) set(e *Entry) (old *Entry) {
	if e.Kind == KindUser {
		if x.user == nil {
			x.user = new(keySet)
		}
		old, _ = x.user.entries.Set(e.Key, e)
		return old
	}
	i, found := x.search(e.Kind, e.Key)
	if found {
		old, x.other[i] = x.other[i], e
		return old
	}
	x.other = slices.Insert(x.other, i, e)
	return nil
}

// remove removes an entry.
func (x *entryIndex) remove(e *Entry) {
	if e.Kind == KindUser {
		x.user.entries.Delete(e.Key)
		return
	}
	if i, found := x.search(e.Kind, e.Key); found {
		x.other = slices.Delete(x.other, i, i+1)
	}
}

// search returns the index of an entry of another kind than KindUser, or the one at which to insert it.
func (x *entryIndex) search(k Kind, key string) (i int, found bool) {
	return slices.BinarySearchFunc(x.other, key, func(e *Entry, key string) int {
		return cmp.Or(cmp.Compare(e.Kind, k), cmp.Compare(e.Key, key))
	})
}

package core

import "iter"

// Keys are the keys that a member publishes, with their values, at one moment. They are never changed. The zero value has none.
type Keys struct{ set *keySet } // nil: no keys

// keySet are the entries of KindUser of a record: of the present one, or a copy that is never changed.
type keySet struct {
	entries entryMap // by key, tombstones included
	live    int      // entries without tombstones
	content uint64   // sum of contentHash over them
	shown   *keySet  // copy for the views; nil after a write, and of a copy
}

// get returns the entry of a key, nil if there is none.
func (s *keySet) get(key string) *Entry {
	if s == nil {
		return nil
	}
	e, _ := s.entries.Get(key)
	return e
}

// account takes note of an entry that comes, or with sign -1 goes.
func (s *keySet) account(e *Entry, sign int) {
	if !e.Deleted {
		s.live += sign
		s.content += uint64(sign) * e.contentHash()
	}
	s.shown = nil
}

// Get returns the value of a key. It takes no lock and allocates nothing.
func (k Keys) Get(key string) (value string, ok bool) {
	e := k.set.get(key)
	if e == nil || e.Deleted {
		return "", false
	}
	return e.Value, true
}

// From yields the keys that do not sort before one, with their values, in order. Those before it are skipped at no cost.
func (k Keys) From(first string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if k.set != nil {
			k.set.entries.Ascend(first, func(key string, e *Entry) bool { return e.Deleted || yield(key, e.Value) })
		}
	}
}

// Len returns the number of keys.
func (k Keys) Len() int {
	if k.set == nil {
		return 0
	}
	return k.set.live
}

// Equal reports whether two members publish the same keys with the same values. It compares hashes of them, and costs the same
// however many there are.
func (k Keys) Equal(o Keys) bool {
	return k.set == o.set || k.set != nil && o.set != nil && k.set.live == o.set.live && k.set.content == o.set.content
}

// keys returns the entries of KindUser at this moment. Later writes do not change them; until the next one they are the same copy.
func (r *record) keys() Keys {
	s := r.index.user
	if s == nil || s.live == 0 {
		return Keys{}
	}
	if s.shown == nil {
		s.shown = &keySet{entries: *s.entries.Copy(), live: s.live, content: s.content}
	}
	return Keys{s.shown}
}

package core

import "iter"

// Keys are the keys that a member publishes, with their values, at one moment. They are never changed. The zero value has none.
type Keys struct {
	entries *entryMap // tombstones included; nil: no keys
	live    int       // keys without tombstones
	content uint64    // see record.content
}

// Get returns the value of a key. It takes no lock and allocates nothing.
func (k Keys) Get(key string) (value string, ok bool) {
	if k.entries == nil {
		return "", false
	}
	e, ok := k.entries.Get(key)
	if !ok || e.Deleted {
		return "", false
	}
	return e.Value, true
}

// From yields the keys that do not sort before one, with their values, in order. Those before it are skipped at no cost.
func (k Keys) From(first string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		if k.entries == nil {
			return
		}
		k.entries.Ascend(first, func(key string, e *Entry) bool { return e.Deleted || yield(key, e.Value) })
	}
}

// Len returns the number of keys.
func (k Keys) Len() int { return k.live }

// Equal reports whether two members publish the same keys with the same values. It compares hashes of them, and costs the same
// however many there are.
func (k Keys) Equal(o Keys) bool {
	return k.entries == o.entries || k.live == o.live && k.content == o.content
}

// keys returns the entries of KindUser at this moment. Later writes do not change them; until the next one they are the same copy.
func (r *record) keys() Keys {
	if r.live == 0 {
		return Keys{}
	}
	if r.shown == nil {
		r.shown = r.index.user.Copy()
	}
	return Keys{r.shown, r.live, r.content}
}

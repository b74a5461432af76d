package disk

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// The bounds of a store.
const (
	MaxKey   = 2 << 10   // bytes of a key, at least 1
	MaxValue = 512 << 10 // bytes of a value
	MaxTotal = 300 << 20 // bytes of all keys and values, with 64 more for each entry
)

// perEntry is what an entry counts beyond its bytes: about what the map needs for it.
const perEntry = 64

// Change sets the value of a key, or deletes the key when the value is nil. An empty value that is not nil is
// a value.
type Change struct {
	Key   string // 1 to MaxKey bytes, any bytes
	Value []byte // up to MaxValue bytes
}

// values is a map that knows its size. Its slices are never written to.
type values struct {
	of    map[string][]byte
	total int64 // as MaxTotal counts
}

func newValues() values { return values{of: make(map[string][]byte)} }

func entryCost(key string, value []byte) int64 { return int64(len(key) + len(value) + perEntry) }

// check returns what is wrong with a change by itself.
func (c Change) check() error {
	switch {
	case c.Key == "":
		return errors.New("a change without a key")
	case len(c.Key) > MaxKey:
		return fmt.Errorf("a key of %d bytes, at most %d fit", len(c.Key), MaxKey)
	case len(c.Value) > MaxValue:
		return fmt.Errorf("a value of %d bytes for %q, at most %d fit", len(c.Value), c.Key, MaxValue)
	}
	return nil
}

// sizeAfter returns the total that changes would lead to.
func (v *values) sizeAfter(changes []Change) int64 {
	last := make(map[string][]byte, len(changes))
	for _, c := range changes {
		last[c.Key] = c.Value
	}
	total := v.total
	for key, value := range last {
		if old, ok := v.of[key]; ok {
			total -= entryCost(key, old)
		}
		if value != nil {
			total += entryCost(key, value)
		}
	}
	return total
}

// applyChange carries out a sound change and copies its value.
func (v *values) applyChange(c Change) {
	if old, ok := v.of[c.Key]; ok {
		v.total -= entryCost(c.Key, old)
		delete(v.of, c.Key)
	}
	if c.Value == nil {
		return
	}
	v.total += entryCost(c.Key, c.Value)
	v.of[c.Key] = append(make([]byte, 0, len(c.Value)), c.Value...)
}

// sortedChanges returns a change for each entry, in the order of the keys.
func (v *values) sortedChanges() []Change {
	list := make([]Change, 0, len(v.of))
	for _, key := range slices.Sorted(maps.Keys(v.of)) {
		list = append(list, Change{key, v.of[key]})
	}
	return list
}

package core

import (
	"maps"
	"slices"

	"github.com/tidwall/btree"
)

// Code is how a request ended.
type Code uint8

const (
	// OK: done. The request took effect exactly once.
	OK Code = iota
	// Conflict: the key was last written at another index than the request named. Nothing was changed.
	Conflict
	// Full: the key, the value, the map or a list of the table would be larger than allowed. Nothing was changed.
	Full
	// NoSession: the key was to live as long as a session that has ended. Nothing was changed.
	NoSession
	// NoLeader: no leader answered by the deadline, and none took the request. Nothing was changed.
	NoLeader
	// Unknown: a leader took the request and did not answer. It may or may not take effect, now or later.
	Unknown
	// NotFound: there is no such group or shard, or the member takes no shards of the group, or does not any more.
	NotFound
	// Pinned: the shard is pinned to another member. Nothing was changed.
	Pinned
)

// item is one key of the map.
type item struct {
	value   []byte
	index   uint64 // of the entry that wrote it: what a compare-and-set names
	session uint64 // whose end deletes it; 0: none
}

// kvMap is the linearizable map: a function of the log, kept by voters alone.
type kvMap struct {
	items map[string]*item
	owned map[uint64]map[string]struct{} // keys by session
	bytes int

	order   btree.Set[string] // of the keys
	history mapHistory
	version uint64 // counts changes
}

func newMap() *kvMap {
	return &kvMap{items: map[string]*item{}, owned: map[uint64]map[string]struct{}{}}
}

// outcome is the result of one operation: the key's index after it, 0 if the key is not there.
type outcome struct {
	code  Code
	index uint64
}

// apply applies one operation. live reports whether a session lives.
func (m *kvMap) apply(index uint64, o *op, live func(session uint64) bool) outcome {
	old, present := m.items[o.key]
	var at uint64
	if present {
		at = old.index
	}
	switch {
	case at != o.token:
		return outcome{Conflict, at}
	case o.kind == opDelete:
		if present {
			m.remove(o.key)
			m.note(index, o.key)
		}
		return outcome{OK, 0}
	case o.kind != opPut || o.key == "":
		return outcome{Full, at}
	case o.session != 0 && !live(o.session):
		return outcome{NoSession, at}
	}
	free := MaxMap - m.bytes
	if present {
		free += len(o.key) + len(old.value)
	}
	if len(o.key)+len(o.value) > free {
		return outcome{Full, at}
	}
	m.put(o.key, &item{value: slices.Clone(o.value), index: index, session: o.session})
	m.note(index, o.key)
	return outcome{OK, index}
}

func (m *kvMap) put(key string, it *item) {
	m.remove(key)
	m.items[key] = it
	m.order.Insert(key)
	m.bytes += len(key) + len(it.value)
	if it.session != 0 {
		if m.owned[it.session] == nil {
			m.owned[it.session] = map[string]struct{}{}
		}
		m.owned[it.session][key] = struct{}{}
	}
}

func (m *kvMap) remove(key string) {
	it := m.items[key]
	if it == nil {
		return
	}
	delete(m.items, key)
	m.order.Delete(key)
	m.bytes -= len(key) + len(it.value)
	if keys := m.owned[it.session]; keys != nil {
		delete(keys, key)
		if len(keys) == 0 {
			delete(m.owned, it.session)
		}
	}
}

// note takes a change down for watches.
func (m *kvMap) note(index uint64, key string) {
	m.version++
	m.history.note(index, key)
}

// expire deletes the keys of sessions that have ended.
func (m *kvMap) expire(index uint64, live func(session uint64) bool) {
	for _, session := range slices.Sorted(maps.Keys(m.owned)) {
		keys := m.owned[session]
		if live(session) {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			m.remove(key)
			m.note(index, key)
		}
	}
}

// keys returns the keys in order.
func (m *kvMap) keys() []string { return m.order.Keys() }

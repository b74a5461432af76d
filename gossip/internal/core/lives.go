package core

import (
	"cmp"
	"container/heap"
	"time"
)

// keyDeadlines are the own keys with a TTL: a heap of those that end first, and where in it each key is.
type keyDeadlines struct {
	order lifeHeap
	byKey map[string]*life
}

// life is one own key with a TTL.
type life struct {
	key   string
	end   time.Duration // when it is deleted, in running time
	index int           // in lives.order
}

// set has a key end at a moment, in place of an earlier end.
func (ls *keyDeadlines) set(key string, end time.Duration) {
	if l := ls.byKey[key]; l != nil {
		l.end = end
		heap.Fix(&ls.order, l.index)
		return
	}
	if ls.byKey == nil {
		ls.byKey = map[string]*life{}
	}
	l := &life{key: key, end: end}
	ls.byKey[key] = l
	heap.Push(&ls.order, l)
}

// remove has a key not end by itself.
func (ls *keyDeadlines) remove(key string) {
	if l := ls.byKey[key]; l != nil {
		heap.Remove(&ls.order, l.index)
		delete(ls.byKey, key)
	}
}

// first returns when the first key ends, 0 without keys.
func (ls *keyDeadlines) first() time.Duration {
	if len(ls.order) == 0 {
		return 0
	}
	return max(1, ls.order[0].end)
}

// lifeHeap implements heap.Interface; of keys that end at the same time the lower one is first.
type lifeHeap []*life

func (h lifeHeap) Len() int { return len(h) }

func (h lifeHeap) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].end, h[j].end), cmp.Compare(h[i].key, h[j].key)) < 0
}

func (h lifeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds a *life at the end; only package heap calls it.
func (h *lifeHeap) Push(x any) {
	l := x.(*life)
	l.index = len(*h)
	*h = append(*h, l)
}

// Pop removes the last one; only package heap calls it.
func (h *lifeHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return l
}

// setLife notes when an own key ends; ttl 0 is never.
func (o *ownRecord) setLife(key string, ttl time.Duration) {
	if ttl <= 0 {
		o.keyDeadlines.remove(key)
		return
	}
	o.keyDeadlines.set(key, o.now()+ttl)
}

// maxExpiries bounds the keys that one Step deletes, so that it stays short when many end at once; the next Step is due at once
// then.
const maxExpiries = 256

// work deletes the own keys whose time is over, those that ended first before the others.
func (o *ownRecord) work() {
	for range maxExpiries {
		at := o.keyDeadlines.first()
		if at == 0 || o.now() < at {
			return
		}
		o.delete(o.keyDeadlines.order[0].key)
	}
}

package election

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goconvoke/convoke/quorum"
)

var errNotHeld = errors.New("shards are not held in time")

// holds is who works on which shard.
type holds struct {
	groups map[string][]*quorum.Shards

	mu      sync.Mutex
	changed *sync.Cond
	late    bool
	now     map[shardOf]int           // the member
	ends    map[shardOf]time.Time     // of the last that ended
	gaps    map[shardOf]time.Duration // between the last two holders
	lost    int                       // calls that ended
	begun   int
	gone    map[int]bool
}

type shardOf struct {
	group string
	shard int
}

func newHolds() *holds {
	h := &holds{groups: map[string][]*quorum.Shards{}, now: map[shardOf]int{}, ends: map[shardOf]time.Time{}, gaps: map[shardOf]time.Duration{}, gone: map[int]bool{}}
	h.changed = sync.NewCond(&h.mu)
	return h
}

func (h *holds) begin(member int, hold quorum.Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone[member] {
		return
	}
	k := shardOf{hold.Group, hold.Shard}
	h.now[k] = member
	h.gaps[k] = time.Since(h.ends[k])
	h.begun++
	h.changed.Broadcast()
}

func (h *holds) end(member int, hold quorum.Hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := shardOf{hold.Group, hold.Shard}
	if h.gone[member] || h.now[k] != member {
		return
	}
	delete(h.now, k)
	h.ends[k] = time.Now()
	h.lost++
}

// forget takes a member for dead: what it held has no holder.
func (h *holds) forget(member int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone[member] = true
	for k, m := range h.now {
		if m == member {
			delete(h.now, k)
		}
	}
}

// await waits until all shards of a group are held.
func (h *holds) await(group string, shards int) error {
	timer := time.AfterFunc(within, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.late = true
		h.changed.Broadcast()
	})
	defer timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.held(group) < shards {
		if h.late {
			return fmt.Errorf("%w: %d of %d in %s", errNotHeld, h.held(group), shards, group)
		}
		h.changed.Wait()
	}
	return nil
}

// awaitBegun waits until so many calls have begun.
func (h *holds) awaitBegun(n int) error {
	return until("calls", func() bool { return h.begunCalls() >= n })
}

func (h *holds) begunCalls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.begun
}

func (h *holds) held(group string) (n int) {
	for k := range h.now {
		if k.group == group {
			n++
		}
	}
	return n
}

// of returns who holds a shard, -1 if no member does.
func (h *holds) of(group string, shard int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m, ok := h.now[shardOf{group, shard}]; ok {
		return m
	}
	return -1
}

// ended returns how many calls of members that live have ended.
func (h *holds) ended() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}

// gap returns how long a shard was without a holder the last time.
func (h *holds) gap(group string, shard int) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gaps[shardOf{group, shard}]
}

package gossiptest

import (
	"fmt"
	"maps"
	"time"
)

// Checker holds a world to the invariants of the protocol. Call Check every CheckEvery.
type Checker struct {
	w     *World
	grace time.Duration
	since []time.Duration // by pair: since when their link is live, 0 if it is not
	seen  []outline       // of each node, when last checked
}

// CheckEvery is how often a Checker looks.
const CheckEvery = 250 * time.Millisecond

// NewChecker returns a checker that counts a link as live once both ends have held it for grace, unharmed: the time that
// publishing it may take, and word of it to spread.
func NewChecker(w *World, grace time.Duration) *Checker {
	return &Checker{w: w, grace: grace, since: make([]time.Duration, len(w.Nodes)*len(w.Nodes))}
}

// outline is what cannot stay the same while a view changes.
type outline struct {
	hash    uint64
	up      int
	pending bool
}

// changed tells whether any view may differ from the last check.
func (k *Checker) changed() bool {
	k.seen = append(k.seen, make([]outline, len(k.w.Nodes)-len(k.seen))...)
	changed := false
	for i, n := range k.w.Nodes {
		if !k.healthy(n) {
			continue
		}
		o := outline{n.Core.Hash(), n.Core.UpCount(), n.Core.Pending()}
		changed = changed || o != k.seen[i]
		k.seen[i] = o
	}
	return changed
}

// Check returns the first invariant that does not hold.
func (k *Checker) Check() error {
	k.observe()
	if err := k.reachableIsUp(); err != nil {
		return err
	}
	return k.equalHashEqualView()
}

// healthy tells whether a process runs and is not frozen.
func (k *Checker) healthy(n *Node) bool { return n.Running() && n.stalled <= k.w.Now && n.Gone == "" }

func (k *Checker) observe() {
	for _, a := range k.w.Nodes {
		for _, b := range k.w.Nodes[:a.Index] {
			s := &k.since[a.Index*len(k.w.Nodes)+b.Index]
			live := k.healthy(a) && k.healthy(b) && !k.w.blocked(a, b) && !k.w.blocked(b, a) &&
				a.Core.Linked(b.hash) && b.Core.Linked(a.hash)
			switch {
			case !live:
				*s = 0
			case *s == 0:
				*s = k.w.Now
			}
		}
	}
}

// reachableIsUp: no member is down to anyone while there is a path of live links.
func (k *Checker) reachableIsUp() error {
	n := len(k.w.Nodes)
	group := make([]int, n)
	for i := range group {
		group[i] = i
	}
	for a := range n {
		for b := range a {
			if s := k.since[a*n+b]; s != 0 && k.w.Now-s >= k.grace && group[a] != group[b] {
				merge(group, group[a], group[b])
			}
		}
	}
	for _, a := range k.w.Nodes {
		for _, b := range k.w.Nodes {
			if a != b && group[a.Index] == group[b.Index] && !a.Core.IsUp(b.hash) {
				return fmt.Errorf("at %v: %s is not up to %s, though a path of live links exists", k.w.Now, b.ID, a.ID)
			}
		}
	}
	return nil
}

func merge(group []int, from, to int) {
	for i, g := range group {
		if g == from {
			group[i] = to
		}
	}
}

// equalHashEqualView: who has the same hash has the same records; and if they are up to each other, the same members up.
func (k *Checker) equalHashEqualView() error {
	if !k.changed() {
		return nil
	}
	first := map[uint64]*Node{}
	for _, b := range k.w.Nodes {
		if !k.healthy(b) {
			continue
		}
		a := first[b.Core.Hash()]
		if a == nil {
			first[b.Core.Hash()] = b
			continue
		}
		if err := sameView(a, b); err != nil {
			return fmt.Errorf("at %v: %w", k.w.Now, err)
		}
	}
	return nil
}

func sameView(a, b *Node) error {
	va, vb := members(a), members(b)
	if len(va) != len(vb) {
		return fmt.Errorf("%s and %s have equal hashes and %d and %d members", a.ID, b.ID, len(va), len(vb))
	}
	statuses := a.Core.IsUp(b.hash) && b.Core.IsUp(a.hash) && !a.Core.Pending() && !b.Core.Pending()
	for i, ma := range va {
		mb := vb[i]
		if ma.ID != mb.ID || ma.Generation != mb.Generation || ma.Version != mb.Version || !maps.Equal(ma.Keys, mb.Keys) {
			return fmt.Errorf("%s and %s have equal hashes and differ in %s and %s", a.ID, b.ID, ma.ID, mb.ID)
		}
		if statuses && ma.Status != mb.Status {
			return fmt.Errorf("%s and %s have equal hashes, and %s is %v to one and %v to the other", a.ID, b.ID, ma.ID, ma.Status, mb.Status)
		}
	}
	return nil
}

// Agreed tells whether all running nodes have the same records and have exactly each other up.
func (w *World) Agreed() bool {
	var first *Node
	running := 0
	for _, n := range w.Nodes {
		if n.Running() {
			running++
		}
	}
	for _, n := range w.Nodes {
		if !n.Running() {
			continue
		}
		if first == nil {
			first = n
		}
		if n.Core.Hash() != first.Core.Hash() || n.Core.SharedHash() != first.Core.SharedHash() || n.Core.UpCount() != running {
			return false
		}
		for _, m := range w.Nodes {
			if m.Running() && !n.Core.IsUp(m.hash) {
				return false
			}
		}
	}
	return true
}

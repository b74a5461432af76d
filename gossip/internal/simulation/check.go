package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Checker holds a world to the invariants of the protocol. Call Check every CheckEvery.
type Checker struct {
	// Ledger, if set, holds what was acknowledged.
	Ledger *Ledger
	// Writers, if set, are watched for nodes that refuse to write for no reason.
	Writers *Writers
	// Seeds is how many addresses nodes were given at which no node lives.
	Seeds int

	w      *World
	bound  time.Duration
	reach  *reachability
	lag    *stalenessOracle
	bounds *coreBounds
	seen   []viewOutline // of each node, when last checked
	broken []Violation
	times  int
}

// Violation is an invariant that did not hold.
type Violation struct {
	Invariant string
	At        time.Duration
	Err       error
}

// Error names the invariant, when it did not hold, and how.
func (v Violation) Error() string { return fmt.Sprintf("%s: at %v: %v", v.Invariant, v.At, v.Err) }

// CheckEvery is how often a Checker looks.
const CheckEvery = 250 * time.Millisecond

// ReachBound is how long streams on a path must have been open and unharmed for the members along it to be up to each other:
// publishing them takes up to three times Relax, and word of it spreads over relaxed pushes that may be lost and sent again; the
// longest hysteresis for links that broke often takes 24 heartbeats.
func ReachBound(c core.Config) time.Duration { return 3*c.Relax + 28*c.Heartbeat }

// NewChecker returns a checker of a world.
func NewChecker(w *World) *Checker {
	r := newReach(w)
	return &Checker{w: w, bound: ReachBound(w.Core), reach: r, lag: newLag(w, r), bounds: newBounds(w)}
}

// viewOutline is what cannot stay the same while a view changes.
type viewOutline struct {
	hash    uint64
	up      int
	pending bool
}

// viewsChanged reports whether any view may differ from the last check.
func (k *Checker) viewsChanged() bool {
	k.seen = append(k.seen, make([]viewOutline, len(k.w.Nodes)-len(k.seen))...)
	changed := false
	for i, n := range k.w.Nodes {
		if !k.isHealthy(n) {
			continue
		}
		o := viewOutline{n.Core.Hash(), n.Core.UpCount(), n.Core.Pending()}
		changed = changed || o != k.seen[i]
		k.seen[i] = o
	}
	return changed
}

// Check looks at every invariant, and keeps the first violation of each.
func (k *Checker) Check() {
	k.reach.updateGroups(k.bound)
	k.noteViolation("reachable is up", k.reach.reachableIsUp())
	k.noteViolation("equal hashes, equal views", k.equalHashEqualView())
	k.noteViolation("bounded outputs", k.bounds.workError())
	k.noteViolation("bounded dials", k.bounds.checkDials(k.Seeds))
	var keys []string
	if k.Ledger != nil {
		keys = k.Ledger.keys
		k.noteViolation("acknowledged writes spread", k.checkSpread())
	}
	k.times++
	for _, n := range k.w.Nodes {
		if k.times%8 == 0 && k.isHealthy(n) {
			k.noteViolation("bounded tables", k.bounds.checkTables(n, len(keys)))
		}
	}
	if len(k.w.Nodes) <= 12 {
		k.lag.compareNeighbours(keys)
		k.noteViolation("staleness is the truth", k.lag.checkReported())
	}
	if k.Writers != nil {
		k.noteViolation("right clocks may write", k.Writers.Denied(k.bound, 30*time.Second))
	}
}

// checkSpread returns the first write that a node lacks, though it has had a path to the writer since before it was written, and for
// longer than the bound.
func (k *Checker) checkSpread() error {
	for _, g := range k.reach.groups() {
		if err := k.Ledger.Within(g, k.bound+5*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// noteViolation keeps the first violation of an invariant.
func (k *Checker) noteViolation(invariant string, err error) {
	if err == nil || slices.ContainsFunc(k.broken, func(v Violation) bool { return v.Invariant == invariant }) {
		return
	}
	k.broken = append(k.broken, Violation{invariant, k.w.Now, err})
}

// Err returns all violations, nil if there are none.
func (k *Checker) Err() error {
	var errs []error
	for _, v := range k.broken {
		errs = append(errs, v)
	}
	return errors.Join(errs...)
}

// isHealthy reports whether a process runs and is not frozen.
func (k *Checker) isHealthy(n *Node) bool { return n.Running() && n.stalled <= k.w.Now && n.Gone == "" }

// equalHashEqualView: nodes with the same hash have the same records; and if they are up to each other, the same members up.
func (k *Checker) equalHashEqualView() error {
	if !k.viewsChanged() {
		return nil
	}
	first := map[uint64]*Node{}
	for _, b := range k.w.Nodes {
		if !k.isHealthy(b) {
			continue
		}
		if err := b.checkMembers(); err != nil {
			return fmt.Errorf("at %v: %s: %w", k.w.Now, b.ID, err)
		}
		a := first[b.Core.Hash()]
		if a == nil {
			first[b.Core.Hash()] = b
			continue
		}
		if err := sameView(a, b); err != nil {
			return err
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
		if ma.Name != mb.Name || ma.Generation != mb.Generation || ma.Version != mb.Version || !ma.Keys.Equal(mb.Keys) {
			return fmt.Errorf("%s and %s have equal hashes and differ in %s and %s", a.ID, b.ID, ma.Name, mb.Name)
		}
		if statuses && ma.Status != mb.Status {
			return fmt.Errorf("%s and %s have equal hashes, and %s is %v to one and %v to the other", a.ID, b.ID, ma.Name, ma.Status, mb.Status)
		}
	}
	return nil
}

// Agreed reports whether all running nodes have the same records and have exactly each other up.
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

// describeDifference describes the first two running nodes that do not agree.
func (w *World) describeDifference() string {
	all := w.runningNodes()
	for _, n := range all {
		first := all[0]
		switch {
		case n.Core.UpCount() != len(all):
			return fmt.Sprintf("%s has %d of %d up", n.ID, n.Core.UpCount(), len(all))
		case n.Core.SharedHash() != first.Core.SharedHash():
			return fmt.Sprintf("the shared maps of %s and %s", n.ID, first.ID)
		case n.Core.Hash() != first.Core.Hash():
			return fmt.Sprintf("the records of %s and %s, which know %d and %d members", n.ID, first.ID, recordCount(n), recordCount(first))
		}
	}
	return "none any more"
}

package simulation

import (
	"fmt"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// coreBounds watches how much each input makes a core do, and how large its tables are.
type coreBounds struct {
	w     *World
	first error
	dials []int // by node, when the window began
	lives []int // the same
	at    time.Duration
}

// dialWindow is how long dials are counted.
const dialWindow = 10 * time.Second

// newBounds watches a world from now on.
func newBounds(w *World) *coreBounds {
	b := &coreBounds{w: w, dials: make([]int, len(w.Nodes)), lives: make([]int, len(w.Nodes))}
	old := w.OnInput
	w.OnInput = func(n *Node, in core.Input, out []core.Output) {
		if old != nil {
			old(n, in, out)
		}
		if err := b.checkOutputs(n, in, out); err != nil && b.first == nil {
			b.first = err
		}
	}
	return b
}

// checkOutputs holds the outputs of one input to a bound. With L links and i items in the input (records, entries, addresses), apart
// from words for the disk and verdicts, which are one for each change, and deltas, it is
//
//	24 + 6·L + i
//
// and of deltas 4 for each link, and one for each 16 KiB that goes over it.
func (b *coreBounds) checkOutputs(n *Node, in core.Input, out []core.Output) error {
	links, items := n.Core.Links()+len(n.streams)+1, itemsIn(in)
	others := 0
	var deltas, bytes map[core.LinkID]int // most inputs send no deltas
	for _, o := range out {
		switch o := o.(type) {
		case core.Judged, core.Remember, core.RememberShared, core.Forget, core.ForgetShared:
		case core.Send:
			if !isBulk(o.Frame) {
				others++
				break
			}
			if deltas == nil {
				deltas, bytes = map[core.LinkID]int{}, map[core.LinkID]int{}
			}
			deltas[o.Link]++
			if deltas[o.Link] > 4 {
				bytes[o.Link] += frameSize(o.Frame)
			}
			if d := deltas[o.Link]; d > 8 && d > 8+bytes[o.Link]/(16<<10) {
				return fmt.Errorf("%s answers %T with %d deltas over one link, for %d bytes", n.ID, in, d, bytes[o.Link])
			}
		default:
			others++
		}
	}
	if most := 24 + 6*links + items; others > most {
		return fmt.Errorf("%s answers %T with %d outputs, at most %d are expected", n.ID, in, others, most)
	}
	return nil
}

func isBulk(f core.Frame) bool {
	switch f.(type) {
	case *core.Delta, *core.SharedDelta, *core.Digest, *core.SharedDigest:
		return true
	}
	return false
}

// itemsIn counts what an input holds.
func itemsIn(in core.Input) int {
	switch in := in.(type) {
	case core.Join:
		return len(in.Addrs)
	case core.Restore:
		return len(in.Members) + len(in.Shared)
	case core.Received:
		switch f := in.Frame.(type) {
		case *core.Delta:
			return len(f.Records)
		case *core.SharedDelta:
			return len(f.Entries)
		case *core.Digest:
			return len(f.Entries)
		case *core.SharedDigest:
			return len(f.Entries)
		}
	}
	return 0
}

// workError returns the first input that made too much work.
func (b *coreBounds) workError() error {
	err := b.first
	b.first = nil
	return err
}

// checkTables holds the tables of a node to their bounds: records to Limits.Members, the own record to its keys, live or not, and a
// link for each name that ever was, the marks of deleted keys to the keys there are.
func (b *coreBounds) checkTables(n *Node, sharedKeys int) error {
	names := len(b.w.Nodes) + b.w.replaced
	if got, most := recordCount(n), min(names, b.w.Core.Limits.Members); got > most {
		return fmt.Errorf("%s knows %d members, at most %d are possible", n.ID, got, most)
	}
	if got, most := n.Core.Entries(), 4+8+names; got > most {
		return fmt.Errorf("%s has %d entries in its own record, at most %d are possible", n.ID, got, most)
	}
	if got, most := n.countTombstones(), sharedKeys+names; got > most {
		return fmt.Errorf("%s keeps %d marks of deleted keys, at most %d are possible", n.ID, got, most)
	}
	return nil
}

// checkGone holds what a node knows to the nodes there are, and those that were replaced no longer than Config.ForgetAfter ago, with a
// quarter for looking seldom. Members that it keeps because they ceased to be up as by one cut do not count: a node that comes back after
// weeks, with those on its disk that were up when it went, brings them back to a cluster that has forgotten them.
func (b *coreBounds) checkGone(n *Node) error {
	w, recent := b.w, 0
	for _, at := range w.retired {
		if w.Now-at <= w.Core.ForgetAfter*5/4+HealBound(w.Core) {
			recent++
		}
	}
	if got, most := recordCount(n)-b.keptOfOneCut(n), len(w.Nodes)+recent; got > most {
		return fmt.Errorf("%s knows %d members, though all but %d are gone for longer than %v", n.ID, got, most, w.Core.ForgetAfter)
	}
	return nil
}

// keptOfOneCut returns how many members a node may keep whatever their age: those that are down and ceased to be up together with as many
// as are up, the node included (docs/decisions/0014).
func (b *coreBounds) keptOfOneCut(n *Node) (kept int) {
	c := b.w.Core
	together := max(min(c.ForgetAfter/16, time.Minute), 4*c.Silence) * 5 / 4 // with what rounding adds
	var down []core.Moment
	for m := range n.Core.Members() {
		if m.Status == core.Down {
			down = append(down, n.disk.members[m.Name].Seen)
		}
	}
	for _, at := range down {
		near := 0
		for _, o := range down {
			if at.Sub(o).Abs() <= together {
				near++
			}
		}
		if near >= n.Core.UpCount() {
			kept++
		}
	}
	return kept
}

// checkDials returns the first node that dialled more often than backoffs allow: eight times in ten seconds for each node and seed.
func (b *coreBounds) checkDials(seeds int) (err error) {
	if b.w.Now-b.at < dialWindow {
		return nil
	}
	b.at = b.w.Now
	most := 20 + 8*(len(b.w.Nodes)+seeds+4)
	for i, n := range b.w.Nodes {
		if got := n.Count.Dials - b.dials[i]; got > most && n.life == b.lives[i] && err == nil {
			err = fmt.Errorf("%s dialled %d times in %v, at most %d are expected", n.ID, got, dialWindow, most)
		}
		b.dials[i], b.lives[i] = n.Count.Dials, n.life
	}
	return err
}

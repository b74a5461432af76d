package simulation

import (
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// Watch keeps who is up to whom, and remembers who ceased to be.
type Watch struct {
	w      *World
	up     []bool // observer*n + subject
	Pairs  int    // ordered pairs of running nodes that are up to each other's eyes
	Deaths []Death
}

// Death is a node that ceased to be up to another one.
type Death struct {
	Observer, Subject int
	At                time.Duration
}

// NewWatch watches a world from now on.
func NewWatch(w *World) *Watch {
	v := &Watch{w: w, up: make([]bool, len(w.Nodes)*len(w.Nodes))}
	old := w.OnOutput
	w.OnOutput = func(n *Node, o core.Output) {
		if old != nil {
			old(n, o)
		}
		if j, ok := o.(core.Judged); ok {
			if m := w.byID[j.ID]; m != nil { // not replaced under another name since
				v.setUp(n.Index, m.Index, j.Up)
			}
		}
	}
	return v
}

func (v *Watch) setUp(observer, subject int, up bool) {
	k := observer*len(v.w.Nodes) + subject
	if observer == subject || v.up[k] == up {
		return
	}
	v.up[k] = up
	if up {
		v.Pairs++
		return
	}
	v.Pairs--
	v.Deaths = append(v.Deaths, Death{observer, subject, v.w.Now})
}

// Up reports whether subject is up to observer.
func (v *Watch) Up(observer, subject int) bool { return v.up[observer*len(v.w.Nodes)+subject] }

// Forget drops what a node that no longer runs saw, so that it is not counted.
func (v *Watch) Forget(observer int) {
	n := len(v.w.Nodes)
	for s := range n {
		if v.up[observer*n+s] {
			v.up[observer*n+s] = false
			v.Pairs--
		}
	}
}

// Complete reports whether every running node has every other running node up, and no others.
func (v *Watch) Complete() bool {
	r := 0
	for _, n := range v.w.Nodes {
		if n.Running() {
			r++
		}
	}
	return v.Pairs == r*(r-1)
}

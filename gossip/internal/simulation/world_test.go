package simulation

import (
	"testing"
	"time"
)

func TestFiveNodesForm(t *testing.T) {
	w := New(DefaultSettings(5, 1))
	for i, n := range w.Nodes {
		if i == 0 {
			n.Start()
		} else {
			n.Start(w.Nodes[0].Addr)
		}
	}
	ok := w.Run(30*time.Second, w.allUp)
	t.Log(ok, w.Now, w.Count)
	w.Run(10*time.Second, nil)
	t.Log(w.Count)
	for _, n := range w.Nodes {
		t.Log(members(n), n.Core.Links())
	}
}

func (w *World) allUp() bool {
	for _, n := range w.Nodes {
		if n.Running() && n.Core.UpCount() != len(w.Nodes) {
			return false
		}
	}
	return true
}

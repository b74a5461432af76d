package simulation

import (
	"testing"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

func TestAThousandFormAndSurviveThirtyPercentDyingAtOnce(t *testing.T) {
	if !*large {
		t.Skip("takes half a minute: run with -large")
	}
	w, v := formCluster(t, 1000, 1)
	formed := w.Now
	w.Run(15*time.Second, nil)
	t.Logf("1000 formed after %v; %s per member in %v; %d false deaths", formed, kilobytesPer(1000, w.Count.Bytes), w.Now, len(v.Deaths))
	at, left := massDeath(w, v, 300)
	if !w.Run(8*time.Second, v.Complete) {
		t.Fatalf("not all deaths known after 8 s")
	}
	false1 := 0
	for _, d := range v.Deaths {
		if left[d.Observer] && left[d.Subject] {
			false1++
		}
	}
	t.Logf("300 die at once: known by all after %v, %d false deaths", w.Now-at, false1)
	if false1 > 0 {
		t.Errorf("%d false deaths among the survivors", false1)
	}
}

func TestStateDoesNotGrowWithFlaps(t *testing.T) {
	w, v := settledCluster(t, 12, 3)
	w.Run(2*w.Core.Tombstone, nil)
	before := w.Nodes[1].Core.Entries()
	for range 40 {
		w.Cut(1, 2)
		w.Run(8*time.Second, nil)
		w.Heal()
		w.Run(4*time.Second, nil)
	}
	w.Run(3*w.Core.Tombstone, nil)
	if after := w.Nodes[1].Core.Entries(); after > before+1 {
		t.Errorf("own record has %d entries after flaps, %d before", after, before)
	}
	if len(v.Deaths) > 0 || !w.Agreed() {
		t.Errorf("flaps of one link: %d deaths, agreed %v", len(v.Deaths), w.Agreed())
	}
}

func TestTheOlderOfTwoProcessesOfOneNameStops(t *testing.T) {
	w := New(DefaultSettings(4, 4))
	for _, n := range w.Nodes[:3] {
		n.Start(w.Nodes[0].Addr)
	}
	w.Run(3*time.Second, nil)
	older, newer := w.Nodes[2], w.Nodes[3]
	newer.ID, newer.hash = older.ID, older.hash
	newer.Start(w.Nodes[0].Addr)
	w.Run(3*time.Second, nil)
	if older.Gone != "conflict" || !newer.Running() || newer.Gone != "" {
		t.Errorf("older: %q, newer runs: %v, %q", older.Gone, newer.Running(), newer.Gone)
	}
	if got := w.Nodes[0].Core; !got.IsUp(newer.hash) || got.UpCount() != 3 {
		t.Errorf("n0 has %d up, want 3", got.UpCount())
	}
}

func TestLeaveIsNotADeath(t *testing.T) {
	w, _ := settledCluster(t, 20, 5)
	w.Nodes[7].Leave()
	w.Run(time.Second, nil)
	for _, n := range w.Nodes {
		if !n.Running() {
			continue
		}
		if m, _ := member(n, "n7"); m.Status != core.Left {
			t.Errorf("%s sees n7 %v, want left", n.ID, m.Status)
		}
	}
}

func has(n *Node, id string) bool {
	_, ok := member(n, id)
	return ok
}

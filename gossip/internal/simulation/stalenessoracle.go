package simulation

import (
	"fmt"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// stalenessOracle measures what Core.Staleness is to report: for how long some neighbour has lacked, or had in addition, something that is
// older than a moment. A write on its way does not count; one that does not arrive does.
type stalenessOracle struct {
	w      *World
	reach  *reachability
	diffs  map[diffKey]*diff
	harmed time.Duration   // when the network last lost or held up frames; what it held up arrives for a while after that
	calm   []time.Duration // by node: since when the truth is about zero; 0: it is not
	truth  []time.Duration // by node
	sure   []time.Duration // by node: without what only the hashes show
}

// diffKey is a record or a key of the shared map that two neighbours may have otherwise.
type diffKey struct {
	a, b   int
	record int    // index of the node, -1
	key    string // of the shared map; "?" is what only the hashes show
}

// diff is a difference: it ends when both have what the one had when it began.
type diff struct {
	since  time.Duration
	target recordVersion
}

// recordVersion orders the states of one record, or of one key.
type recordVersion struct {
	version version
	stamp   core.Stamp
}

func (p recordVersion) before(q recordVersion) bool {
	return p.version.before(q.version) || p.version == q.version && p.stamp < q.stamp
}

func newLag(w *World, r *reachability) *stalenessOracle {
	n := len(w.Nodes)
	return &stalenessOracle{w: w, reach: r, diffs: map[diffKey]*diff{}, calm: make([]time.Duration, n), truth: make([]time.Duration, n), sure: make([]time.Duration, n)}
}

// compareNeighbours compares all neighbours; keys are those of the shared map.
func (g *stalenessOracle) compareNeighbours(keys []string) {
	w := g.w
	clear(g.truth)
	clear(g.sure)
	keys = append(keys[:len(keys):len(keys)], "?")
	if w.Loss > 0 || w.Bandwidth > 0 {
		g.harmed = w.Now
	}
	for _, a := range w.Nodes {
		for _, b := range w.Nodes[:a.Index] {
			linked := g.reach.streamAge(a, b) > 0
			worst, sure := g.oldestDifference(a, b, keys, linked)
			if linked {
				g.truth[a.Index] = max(g.truth[a.Index], worst)
				g.truth[b.Index] = max(g.truth[b.Index], worst)
				g.sure[a.Index] = max(g.sure[a.Index], sure)
				g.sure[b.Index] = max(g.sure[b.Index], sure)
			}
		}
	}
	for i := range w.Nodes {
		switch {
		case g.truth[i] > w.Core.Heartbeat:
			g.calm[i] = 0
		case g.calm[i] == 0:
			g.calm[i] = max(1, w.Now)
		}
	}
}

// oldestDifference returns the age of the oldest difference between two nodes; sure leaves out what only the hashes show, which is the key "?".
func (g *stalenessOracle) oldestDifference(a, b *Node, keys []string, linked bool) (worst, sure time.Duration) {
	for _, m := range g.w.Nodes {
		k := diffKey{a.Index, b.Index, m.Index, ""}
		if !linked {
			delete(g.diffs, k)
			continue
		}
		sure = max(sure, g.differenceAge(k, recordVersion{version: versionAt(a, m)}, recordVersion{version: versionAt(b, m)}))
		worst = sure
	}
	for _, key := range keys {
		k := diffKey{a.Index, b.Index, -1, key}
		if !linked {
			delete(g.diffs, k)
			continue
		}
		var pa, pb recordVersion
		if key != "?" {
			_, pa.stamp, _ = sharedValue(a, key)
			_, pb.stamp, _ = sharedValue(b, key)
		} else if a.Core.Hash() != b.Core.Hash() || a.Core.SharedHash() != b.Core.SharedHash() {
			pa.stamp = 1
		}
		age := g.differenceAge(k, pa, pb)
		worst = max(worst, age)
		if key != "?" {
			sure = max(sure, age)
		}
	}
	return worst, sure
}

// differenceAge is for how long two neighbours have differed in what one of them had when the difference was first seen.
func (g *stalenessOracle) differenceAge(k diffKey, a, b recordVersion) time.Duration {
	if a == b {
		delete(g.diffs, k)
		return 0
	}
	low, high := a, b
	if b.before(a) {
		low, high = b, a
	}
	d := g.diffs[k]
	if d == nil || !low.before(d.target) {
		g.diffs[k] = &diff{g.w.Now, high}
		return 0
	}
	return g.w.Now - d.since
}

// checkReported returns the first node that reports something else than the truth of four heartbeats ago. What only the hashes show may be
// many short differences, so it proves nothing against a node that reports none.
func (g *stalenessOracle) checkReported() error {
	w := g.w
	// Three heartbeats, one more for a comparison that met two writes of one key on their way, and the time between two looks.
	slack := 4*w.Core.Heartbeat + w.Core.Heartbeat/2
	for _, n := range w.Nodes {
		if !g.hasSettledStreams(n) {
			continue
		}
		got, truth := coreStaleness(n), g.truth[n.Index]
		if c := g.calm[n.Index]; c != 0 && w.Now-c > slack && got > truth+slack {
			return fmt.Errorf("%s reports that it is %v behind, and it is at most %v", n.ID, got, truth)
		}
		if sure := g.sure[n.Index]; got < sure-slack {
			return fmt.Errorf("%s reports that it is %v behind, and it is %v", n.ID, got, sure)
		}
	}
	return nil
}

// hasSettledStreams reports whether a node has had all its streams for a while, unharmed.
func (g *stalenessOracle) hasSettledStreams(n *Node) bool {
	w := g.w
	if !w.isHealthy(n) || len(n.streams) == 0 || g.harmed != 0 && w.Now-g.harmed < 5*w.Core.Heartbeat || w.Now-n.clockAt < 10*w.Core.Heartbeat {
		return false
	}
	for _, s := range n.sortedStreams() {
		if g.reach.streamAge(n, s.node[1-s.endOf(n)]) < 5*w.Core.Heartbeat {
			return false
		}
	}
	return true
}

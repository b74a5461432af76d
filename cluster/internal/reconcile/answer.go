package reconcile

import (
	"time"

	"github.com/goconvoke/convoke/peer"
)

const (
	// An empty answer after a non-empty one is believed when it came this often over this long.
	emptyCalls = 3
	emptyTime  = 30 * time.Second
	// A peer counts as left out after this many Sets without it.
	absentSets = 2
	// This node counts as left out, and so as leaving, after this many Sets without it.
	selfAbsentSets = 2
)

// topology is what one strategy reported.
type topology struct {
	name    string
	prune   Prune
	removed bool // by the configuration: its refs fade without further Sets
	refs    map[string]*ref
	wanted  int // refs that want their peer

	// answering is for how long the source has given answers that name peers, complete or not. It stands
	// still while the source fails, so that an outage makes no peer older.
	answering  time.Duration
	lastAnswer time.Time

	stamp     int // number of answers
	sets      int // number of Sets
	goodSets  int // Sets since the last Fail
	goodSince time.Time
	lastSet   time.Time

	emptyCalls int // empty Sets in a row, while held back
	emptySince time.Time

	selfSeen   bool // this node was in an answer
	selfAbsent int  // Sets in a row without it since
}

// AddTopology begins a topology, or changes how it prunes.
func (l *Ledger) AddTopology(name string, p Prune) {
	t := l.topologies[name]
	if t == nil {
		t = &topology{name: name, refs: make(map[string]*ref)}
		l.topologies[name] = t
	}
	t.prune, t.removed = p, false
}

// RemoveTopology ends a topology: what it wanted is no longer wanted by it.
func (l *Ledger) RemoveTopology(name string, now time.Time) {
	t := l.topologies[name]
	if t == nil {
		return
	}
	t.removed = true
	for _, f := range t.refs {
		f.unwant(now, t.sets)
	}
	if len(t.refs) == 0 {
		delete(l.topologies, name)
	}
}

// Wanted returns the peers that a topology wants, in no order.
func (l *Ledger) Wanted(name string) []peer.Peer {
	t := l.topologies[name]
	if t == nil {
		return nil
	}
	all := make([]peer.Peer, 0, t.wanted)
	for _, f := range t.refs {
		if f.wants {
			all = append(all, f.row.peer)
		}
	}
	return all
}

// Set takes a complete answer. It reports whether a peer is wanted now that was not before.
// An empty answer after a non-empty one is held back until it was repeated.
func (l *Ledger) Set(name string, all []peer.Peer, now time.Time) (news bool) {
	t := l.topologies[name]
	if t == nil || t.removed {
		return false
	}
	t.sets++
	t.lastSet = now
	if t.goodSets++; t.goodSets == 1 {
		t.goodSince = now
	}
	absentAt, absentSet := now, t.sets
	if len(all) > 0 || t.wanted == 0 {
		t.emptyCalls = 0
	} else {
		if t.emptyCalls++; t.emptyCalls == 1 {
			t.emptySince = now
		}
		if t.emptyCalls < emptyCalls || now.Sub(t.emptySince) < emptyTime {
			return false
		}
		absentAt, absentSet = t.emptySince, t.sets-t.emptyCalls+1
	}
	news = l.want(t, all, now)
	for _, f := range t.refs {
		if f.stamp != t.stamp {
			f.unwant(absentAt, absentSet)
		}
	}
	t.noteSelf(l, all)
	return news
}

// Add takes an incomplete answer. It reports whether a peer is wanted now that was not before.
func (l *Ledger) Add(name string, some []peer.Peer, now time.Time) (news bool) {
	t := l.topologies[name]
	if t == nil || t.removed {
		return false
	}
	return l.want(t, some, now)
}

// Fail takes a failure: the counts that lead to a drop start again.
func (l *Ledger) Fail(name string) {
	if t := l.topologies[name]; t != nil {
		t.goodSets, t.emptyCalls = 0, 0
	}
}

// want marks these peers as wanted by a topology.
func (l *Ledger) want(t *topology, peers []peer.Peer, now time.Time) (news bool) {
	t.stamp++
	if len(peers) > 0 {
		t.answered(now)
	}
	for _, p := range peers {
		if l.isSelf(p) {
			continue
		}
		f := t.refs[p.Addr]
		if f == nil {
			f = l.newRef(t, p)
		}
		f.stamp, f.fresh = t.stamp, t.answering
		f.row.peer = p
		if !f.wants {
			if f.row.wanted == 0 {
				f.row.drop = drop{running: f.row.drop.running}
			}
			f.wants = true
			f.row.wanted++
			t.wanted++
			news = true
		}
	}
	return news
}

// answered moves the time for which the source has given answers. A pause beyond StaleAfter counts as that long,
// because a source that works repeats its answer earlier.
func (t *topology) answered(now time.Time) {
	if !t.lastAnswer.IsZero() {
		t.answering += min(now.Sub(t.lastAnswer), StaleAfter)
	}
	t.lastAnswer = now
}

func (l *Ledger) newRef(t *topology, p peer.Peer) *ref {
	r := l.rows[p.Addr]
	if r == nil {
		r = &row{peer: p}
		l.rows[p.Addr] = r
	}
	f := &ref{topology: t, row: r}
	r.refs = append(r.refs, f)
	t.refs[p.Addr] = f
	return f
}

// noteSelf looks for this node in a complete answer. A node that was listed and no longer is has
// been removed from its source: it stops dialling, and drops no peer.
func (t *topology) noteSelf(l *Ledger, all []peer.Peer) {
	for _, p := range all {
		if l.isSelf(p) {
			t.selfSeen, t.selfAbsent = true, 0
			return
		}
	}
	if t.selfSeen {
		t.selfAbsent++
	}
}

func (t *topology) leaving() bool { return t.selfAbsent >= selfAbsentSets }

// leftOut reports whether a topology has left a peer out often, long and firmly enough.
func (f *ref) leftOut(now time.Time) bool {
	t := f.topology
	switch {
	case f.wants || t.prune.Never || t.leaving():
		return false
	case t.removed:
		return now.Sub(f.absentAt) >= t.prune.After
	case now.Sub(t.lastSet) > StaleAfter || t.goodSets == 0:
		return false
	}
	since := f.absentAt
	if t.goodSince.After(since) {
		since = t.goodSince
	}
	return min(t.sets-f.absentSet+1, t.goodSets) >= absentSets && now.Sub(since) >= t.prune.After
}

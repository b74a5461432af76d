package reconcile

import (
	"time"

	"github.com/goconvoke/convoke/peer"
)

const (
	// An empty answer after a non-empty one is believed when it came this often over this long: both, because three lookups may
	// fall into one outage of a second.
	emptyCalls = 3
	emptyTime  = 30 * time.Second
	// A peer counts as left out after this many Sets without it: one may be truncated, or of a replica that lags behind.
	absentSets = 2
	// This node counts as left out, and so as leaving, after this many Sets without it.
	selfAbsentSets = 2
)

// topology is what one strategy reported.
type topology struct {
	name    string
	prune   Prune
	removed bool             // by the configuration: what it wanted is dropped without further Sets
	wants   map[string]*want // by address
	sorted  []*want          // wants by address; nil when one was added or deleted since
	wanted  int              // wants that are active

	// answering is for how long the source has given answers that name peers, complete or not. It stands
	// still while the source fails, so that an outage makes no peer older.
	answering  time.Duration
	lastAnswer time.Time

	answerNo  int // number of answers
	sets      int // number of Sets
	goodSets  int // Sets since the last Fail
	goodSince time.Time
	lastSet   time.Time

	emptyCalls int // empty Sets in a row, while held back
	emptySince time.Time

	selfSeen   bool // this node was in an answer, by its ID or an address
	selfListed bool // it was by an own address
	selfAbsent int  // Sets in a row without it since
}

// AddTopology begins a topology, or changes how it prunes. One that was removed and comes back finds what it had connected.
func (l *Ledger) AddTopology(name string, p Prune) {
	t := l.topologies[name]
	if t == nil {
		t = &topology{name: name, wants: make(map[string]*want)}
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
	for _, w := range t.wants {
		w.endWant(now, t.sets)
	}
	if len(t.wants) == 0 {
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
	for _, w := range t.wants {
		if w.active {
			all = append(all, w.peer.peer)
		}
	}
	return all
}

// Set takes a complete answer. It reports whether a peer is wanted now that was not before.
//
// An empty answer after a non-empty one is held back until it was repeated, because sources that fail tend to return nothing
// (a DNS server that lost its zone, an API behind a wrong selector). Once it is believed, the peers count as left out since the first
// of the empty answers, so that the time of prune does not begin only then.
func (l *Ledger) Set(name string, all []peer.Peer, now time.Time) (added bool) {
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
	added = l.markWanted(t, all, now)
	for _, w := range t.wants {
		if w.answerNo != t.answerNo {
			w.endWant(absentAt, absentSet)
		}
	}
	t.noteSelf(l, all)
	return added
}

// Add takes an incomplete answer. It reports whether a peer is wanted now that was not before.
func (l *Ledger) Add(name string, some []peer.Peer, now time.Time) (added bool) {
	t := l.topologies[name]
	if t == nil || t.removed {
		return false
	}
	return l.markWanted(t, some, now)
}

// Fail takes a failure: the counts that lead to a drop start again. Answers around a failure do not confirm each other, because a source
// that fails now and then may give wrong answers too.
func (l *Ledger) Fail(name string) {
	if t := l.topologies[name]; t != nil {
		t.goodSets, t.emptyCalls = 0, 0
	}
}

// markWanted marks these peers as wanted by a topology. The number of the answer marks them, so that Set finds those left out without a
// second set of addresses.
func (l *Ledger) markWanted(t *topology, peers []peer.Peer, now time.Time) (added bool) {
	t.answerNo++
	if len(peers) > 0 {
		t.addAnswerTime(now)
	}
	for _, p := range peers {
		if l.isSelf(p) {
			continue
		}
		w := t.wants[p.Addr]
		if w == nil {
			w = l.newWant(t, p)
		}
		w.answerNo, w.fresh = t.answerNo, t.answering
		w.peer.peer = p
		if !w.active {
			if w.peer.wanted == 0 {
				w.peer.drop = dropState{running: w.peer.drop.running}
			}
			w.active = true
			w.peer.wanted++
			t.wanted++
			added = true
		}
	}
	return added
}

// addAnswerTime moves the time for which the source has given answers. A pause beyond StaleAfter counts as that long,
// because a source that works repeats its answer earlier.
func (t *topology) addAnswerTime(now time.Time) {
	if !t.lastAnswer.IsZero() {
		t.answering += min(now.Sub(t.lastAnswer), StaleAfter)
	}
	t.lastAnswer = now
}

// newWant records that a topology has named a peer for the first time.
func (l *Ledger) newWant(t *topology, p peer.Peer) *want {
	s := l.peers[p.Addr]
	if s == nil {
		s = &peerState{peer: p}
		l.peers[p.Addr] = s
	}
	w := &want{topology: t, peer: s}
	s.wants = append(s.wants, w)
	t.wants[p.Addr], t.sorted = w, nil
	return w
}

// noteSelf looks for this node in a complete answer. A node that was listed and no longer is has been removed from its source, by a
// rollout or an operator: it stops dialling, because the others are to forget it, and drops no peer, because it still serves them. One that was
// named by its ID alone was not listed: that may have been another process of the name, and a source such as local never names this node itself.
func (t *topology) noteSelf(l *Ledger, all []peer.Peer) {
	present := false
	for _, p := range all {
		if l.isSelf(p) {
			present, t.selfListed = true, t.selfListed || l.self[p.Addr]
		}
	}
	switch {
	case present:
		t.selfSeen, t.selfAbsent = true, 0
	case t.selfListed:
		t.selfAbsent++
	}
}

// leaving reports whether this node was in the answers once and has been left out of them since, often enough to be believed.
func (t *topology) leaving() bool { return t.selfAbsent >= selfAbsentSets }

// leftOut reports whether a topology has left a peer out often, long and firmly enough: by two Sets in a row without a failure between,
// for the time of prune, and not by an answer that is stale itself. A topology that was removed gives no more answers, so for it
// the time alone decides.
func (w *want) leftOut(now time.Time) bool {
	t := w.topology
	switch {
	case w.active || t.prune.Never || t.leaving():
		return false
	case t.removed:
		return now.Sub(w.absentAt) >= t.prune.After
	case now.Sub(t.lastSet) > StaleAfter || t.goodSets == 0:
		return false
	}
	since := w.absentAt
	if t.goodSince.After(since) {
		since = t.goodSince
	}
	return min(t.sets-w.absentSet+1, t.goodSets) >= absentSets && now.Sub(since) >= t.prune.After
}

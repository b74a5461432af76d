// Package reconcile decides which peers to dial and which to drop: wanted minus connected, in every round. It is pure: answers, lists and
// the time come in, plans go out; it reads no clock, starts no goroutine and calls no code of others. One [Ledger] serves one
// connector, so that topologies that name the same peer count as references to it.
//
// A complete answer decides alone which peers are wanted. Where answers stay incomplete, age does: a
// peer that was neither named nor connected for [ForgetAfter] is no longer wanted.
package reconcile

import (
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/peer"
)

const (
	// ParallelDials bounds the dials that run at once on one connector.
	ParallelDials = 8
	// Interval is how often a round is due without any cause, and the time in which one
	// batch of drops may happen.
	Interval = 10 * time.Second
	// StaleAfter is the age at which an answer no longer counts as fresh. Strategies repeat
	// an answer that holds at least once a minute.
	StaleAfter = 90 * time.Second
	// ForgetAfter is for how long a source must have given answers that do not name a peer before
	// the peer, if it is not connected either, is no longer wanted. Outages of the source do not count.
	ForgetAfter = 10 * time.Minute
)

// Prune is when peers that a topology wanted once, and no longer does, are disconnected.
type Prune struct {
	Never       bool
	After       time.Duration // how long they must have been missing
	MaxFraction float64       // share of the connected peers dropped per Interval, in (0, 1]; at least one peer
}

// Ledger is the state of one reconciler. It is not safe for concurrent use.
//
// It is a bipartite graph: topologies on one side, peers on the other, and a want for each pair of which the topology has named the
// peer. So a peer that two topologies name is dialled once, and dropped only when neither wants it.
type Ledger struct {
	gossips bool // a few contacts suffice: the connector spreads the rest
	rand    *rand.Rand

	topologies map[string]*topology
	peers      map[string]*peerState // every peer that is wanted, or was and is still connected; by address
	self       map[string]bool       // own addresses: those of SetSelf and those learnt by dialling
	selfIDs    map[string]bool

	round    uint64            // number of the round; what a round marks needs no clearing before the next
	ids      map[string]idSeen // IDs in the last list
	inFlight int               // dials that run, without those past their deadline

	dropWindow time.Time // the first drop of the current batch
	dropped    int       // drops within it
	dropBase   int       // connected peers at its start: what the fraction is of

	// Buffers of Round, kept between rounds so that a steady round allocates nothing.
	due, gone []*peerState
	arrived   map[string]bool
}

// peerState is one address. It exists while a topology wants it, while it is connected and was wanted once, and while a call for it
// runs. Peers that were connected without us and that no topology ever named have none: they are not ours to drop.
type peerState struct {
	peer      peer.Peer
	wants     []*want // one for each topology that wants it, or wanted it
	wanted    int     // those of them that are active
	seen      uint64  // the last round in which the list held its address
	connected bool
	since     time.Time // of connected
	dial      dialState
	drop      dropState
}

// want is one topology's interest in one peer. It stays when the topology no longer names the peer, because the time and the
// number of answers since then decide when the peer is dropped.
//
// A want is always in both of its maps, or in none: topology.wants and peerState.wants. topology.wanted and peerState.wanted count those of
// them that are active; only markWanted, endWant and learnSelf change them.
type want struct {
	topology  *topology
	peer      *peerState
	active    bool          // the topology wants the peer now
	answerNo  int           // number of the answer that named it last
	fresh     time.Duration // topology.answering when an answer named it, or its connection was lost
	absentAt  time.Time     // when it was first left out
	absentSet int           // the number of that Set
}

// idSeen is where an ID was in the list. The number of the round makes old entries void.
type idSeen struct {
	round uint64
	addr  string
}

// New returns an empty ledger.
func New(gossips bool, r *rand.Rand) *Ledger {
	return &Ledger{
		gossips:    gossips,
		rand:       r,
		topologies: make(map[string]*topology),
		peers:      make(map[string]*peerState),
		self:       make(map[string]bool),
		selfIDs:    make(map[string]bool),
		ids:        make(map[string]idSeen),
		arrived:    make(map[string]bool),
	}
}

// SetSelf takes the IDs and addresses under which this node itself may be named.
func (l *Ledger) SetSelf(self []peer.Peer) {
	for _, p := range self {
		if p.ID != "" {
			l.selfIDs[p.ID] = true
		}
		if p.Addr != "" && !l.self[p.Addr] {
			l.learnSelf(p.Addr)
		}
	}
}

// learnSelf records an own address. A topology that named it has named this node, and no longer counts it as a peer.
func (l *Ledger) learnSelf(addr string) {
	l.self[addr] = true
	s := l.peers[addr]
	if s == nil {
		return
	}
	for _, w := range s.wants {
		w.topology.selfSeen, w.topology.selfListed = w.topology.selfSeen || w.active, w.topology.selfListed || w.active
		delete(w.topology.wants, addr)
		w.topology.sorted = nil
		if w.active {
			w.topology.wanted--
		}
	}
	delete(l.peers, addr)
}

// isSelf reports whether a peer of an answer is this node. The ID decides too: after a move the answers have the old address for a while.
func (l *Ledger) isSelf(p peer.Peer) bool {
	return l.self[p.Addr] || p.ID != "" && l.selfIDs[p.ID]
}

// endWant ends the interest in a peer that was left out first at that time, by the Set of that number. What is known of its dials is
// dropped with the last interest, so that a peer that returns is dialled at once; a dial that runs goes on.
func (w *want) endWant(at time.Time, set int) {
	if !w.active {
		return
	}
	w.active, w.absentAt, w.absentSet = false, at, set
	w.topology.wanted--
	if w.peer.wanted--; w.peer.wanted == 0 {
		w.peer.dial = dialState{inFlight: w.peer.dial.inFlight}
	}
}

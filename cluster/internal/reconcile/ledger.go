// Package reconcile decides which peers to dial and which to drop: wanted minus connected, for
// ever. It is pure: answers, lists and the time come in, plans go out; it reads no clock, starts no
// goroutine and calls no foreign code. One [Ledger] serves one connector, so that topologies that
// name the same peer count as references to it.
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
type Ledger struct {
	gossips bool // a few contacts suffice: the connector spreads the rest
	rand    *rand.Rand

	topologies map[string]*topology
	rows       map[string]*row // every peer that is wanted, or was and is still connected; by address
	self       map[string]bool // own addresses: those of SetSelf and those learnt by dialling
	selfIDs    map[string]bool

	round    uint64
	ids      map[string]idSeen // IDs in the last list
	inFlight int               // dials that run

	dropWindow time.Time // the first drop of the current batch
	dropped    int       // drops within it
	dropBase   int       // connected peers at its start: what the fraction is of

	// Buffers of Round, kept between rounds.
	due, gone []*row
	arrived   map[string]bool
}

// row is one peer.
type row struct {
	peer      peer.Peer
	refs      []*ref // one for each topology that wants it, or wanted it
	wanted    int    // refs that want it now
	seen      uint64 // the last round in which the list held its address
	connected bool
	since     time.Time // of connected
	dial      dial
	drop      drop
}

// ref is one topology's interest in one peer.
type ref struct {
	topology  *topology
	row       *row
	wants     bool
	stamp     int           // the answer that named it last
	fresh     time.Duration // topology.answering when an answer named it, or its connection was lost
	absentAt  time.Time     // when it was first left out
	absentSet int           // the number of that Set
}

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
		rows:       make(map[string]*row),
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

// learnSelf remembers an own address. The topologies that name it know this node.
func (l *Ledger) learnSelf(addr string) {
	l.self[addr] = true
	r := l.rows[addr]
	if r == nil {
		return
	}
	for _, f := range r.refs {
		f.topology.selfSeen = f.topology.selfSeen || f.wants
		delete(f.topology.refs, addr)
		if f.wants {
			f.topology.wanted--
		}
	}
	delete(l.rows, addr)
}

func (l *Ledger) isSelf(p peer.Peer) bool {
	return l.self[p.Addr] || p.ID != "" && l.selfIDs[p.ID]
}

// unwant ends a ref's interest, which began to fade at that Set.
func (f *ref) unwant(at time.Time, set int) {
	if !f.wants {
		return
	}
	f.wants, f.absentAt, f.absentSet = false, at, set
	f.topology.wanted--
	if f.row.wanted--; f.row.wanted == 0 {
		f.row.dial = dial{inFlight: f.row.dial.inFlight}
	}
}

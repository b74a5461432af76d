package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// Topology is the state of one topology.
type Topology struct {
	Wanted    int
	Connected int  // of those wanted
	EmptyHeld int  // empty answers in a row that are not believed yet
	SelfSeen  bool // this node was in an answer
	Leaving   bool // and no longer is: no peer is dialled
	Peers     []Peer
}

// Peer is the state of one peer, of those wanted or still to be dropped.
type Peer struct {
	peer.Peer
	Wanted    bool // by this topology
	Connected bool
	Since     time.Time // of Connected; zero if it never was
	Attempts  int       // dials since it was last seen connected; of a peer that is not wanted, drops
	Err       error     // of the last dial or drop
	Next      time.Time // when the next dial or drop may happen
	Foreign   bool      // belongs to another cluster
}

// Topology returns the state of a topology, its peers sorted by address. The peers are the caller's.
func (l *Ledger) Topology(name string) Topology {
	t := l.topologies[name]
	if t == nil {
		return Topology{}
	}
	status := Topology{Wanted: t.wanted, EmptyHeld: t.emptyCalls, SelfSeen: t.selfSeen, Leaving: t.leaving()}
	status.Peers = make([]Peer, 0, len(t.wants))
	for _, w := range t.byAddr() {
		if w.active && w.peer.connected {
			status.Connected++
		}
		if w.active || w.peer.connected {
			status.Peers = append(status.Peers, w.peerStatus())
		}
	}
	return status
}

// byAddr returns the wants sorted by address. They are sorted again only after one was added or deleted, because the status is
// published far more often.
func (t *topology) byAddr() []*want {
	if t.sorted == nil {
		t.sorted = slices.SortedFunc(maps.Values(t.wants), func(a, b *want) int { return cmp.Compare(a.peer.peer.Addr, b.peer.peer.Addr) })
	}
	return t.sorted
}

// peerStatus returns the state of a peer as its topology shows it: what is known of its dials, or of its drops once no topology wants it.
func (w *want) peerStatus() Peer {
	s := w.peer
	p := Peer{
		Peer: s.peer, Wanted: w.active, Connected: s.connected, Since: s.since,
		Attempts: s.dial.attempts, Err: s.dial.err, Next: s.dial.next, Foreign: s.dial.foreign,
	}
	if s.wanted == 0 {
		p.Attempts, p.Err, p.Next = s.drop.attempts, s.drop.err, s.drop.next
	}
	return p
}

// Counts returns how many peers a topology wants and how many of those are connected.
func (l *Ledger) Counts(name string) (wanted, connected int) {
	t := l.topologies[name]
	if t == nil {
		return 0, 0
	}
	for _, w := range t.wants {
		if w.active && w.peer.connected {
			connected++
		}
	}
	return t.wanted, connected
}

// Leaving reports whether this node is missing from the answers that once named it.
func (l *Ledger) Leaving(name string) bool {
	t := l.topologies[name]
	return t != nil && t.leaving()
}

package cluster

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/peer"
)

// Status is a snapshot of a supervisor.
type Status struct {
	Cluster    string
	Node       string
	Formed     bool              // all topologies were whole once, and Run has not ended
	Topologies []TopologyStatus  // in the order of the configuration
	Connectors []ConnectorStatus // those in use, sorted by name
}

// ConnectorStatus is what a connector lists.
type ConnectorStatus struct {
	Name   string      // of the connector, or of the list callback
	Listed bool        // it could list its peers once
	Err    error       // why it cannot now; nil if it can
	Peers  []peer.Peer // of the last list: all that are connected, without this node; not to be changed
}

// TopologyStatus is what is known of one topology.
type TopologyStatus struct {
	Name      string
	Strategy  string
	Connector string
	State     State
	Formed    bool   // it was whole once
	Whole     bool   // it is whole now
	Why       string // one sentence: why it is whole, or what it lacks

	Expect    int // nodes the cluster should have, this one included; 0 = unknown
	MinPeers  int // connected peers from which it is whole
	Wanted    int // peers that the strategy found, without this node
	Connected int // peers connected: all for a connector that gossips, else of those wanted

	LastSet  time.Time // the last complete answer; zero = none yet
	LastAdd  time.Time // the last incomplete one
	LastFail time.Time
	Err      error // why there is no complete answer now; nil if there is
	Stale    bool  // the last complete answer is older than 90 s
	Restarts int   // of the strategy, after crashes

	ListErr   error // why the connector cannot list its peers
	EmptyHeld int   // empty answers in a row that are not believed yet
	SelfSeen  bool  // this node was in an answer
	Leaving   bool  // and no longer is, so that it dials no peer
	Handover  error // why a changed configuration is not in force yet

	Peers   []PeerStatus  // sorted by address
	Missing []MissingPeer // of a topology that is not whole: who it most likely lacks, at most as many as it does
}

// PeerStatus is what is known of one peer.
type PeerStatus struct {
	peer.Peer
	Wanted    bool // false: no longer found, not disconnected yet
	Connected bool
	Since     time.Time // of Connected; zero if it never was
	Attempts  int       // dials since it was last connected; of a peer that is not wanted, disconnects
	Err       error     // of the last dial or disconnect
	Next      time.Time // when it may be tried again
	Foreign   bool      // it belongs to another cluster, or has other keys or certificates
}

// Status returns a snapshot.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	status := Status{Cluster: s.config.Node.Cluster, Node: s.node.Name, Formed: s.formed && !s.ended}
	for _, key := range slices.Sorted(maps.Keys(s.groups)) {
		g := s.groups[key]
		status.Connectors = append(status.Connectors, ConnectorStatus{g.name, g.listed, g.listErr, g.last})
	}
	for _, c := range s.config.Topologies {
		status.Topologies = append(status.Topologies, s.topologies[c.Name].status(now))
	}
	return status
}

// Watch yields a snapshot at once and then whenever something may have changed, at most once for each round of a reconciler and each
// answer of a strategy. A slow reader misses snapshots in between, never the newest, and delays nothing. It ends with ctx or
// with Run, after a last snapshot.
func (s *Supervisor) Watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for {
			s.mu.Lock()
			change, ended := s.changes(), s.ended
			s.mu.Unlock()
			if !yield(s.Status()) || ended {
				return
			}
			select {
			case <-change:
			case <-ctx.Done():
				return
			}
		}
	}
}

// status returns a snapshot of one topology. mu is held.
func (t *topology) status(now time.Time) TopologyStatus {
	ts := TopologyStatus{
		Name: t.settings.Name, Strategy: t.settings.Config.Kind, Connector: t.s.connectorName(t.settings),
		State: t.state, Expect: t.settings.Expect, MinPeers: t.settings.minPeers(),
		LastSet: t.lastSet, LastAdd: t.lastAdd, LastFail: t.lastFail, Err: t.err,
		Stale: t.isStale(now), Restarts: t.restarts, Handover: t.pendingErr,
	}
	if t.group != nil {
		l := t.group.ledger.Topology(t.settings.Name)
		ts.ListErr = t.group.listErr
		ts.Wanted, ts.Connected = l.Wanted, t.connectedOf(l.Connected)
		ts.EmptyHeld, ts.SelfSeen, ts.Leaving = l.EmptyHeld, l.SelfSeen, l.Leaving
		for _, p := range l.Peers {
			ts.Peers = append(ts.Peers, PeerStatus(p))
		}
	}
	ts.Formed, ts.Whole = t.formed, t.isWhole()
	if t.group != nil && !ts.Whole {
		ts.Missing = t.group.gone.missing(max(ts.Expect-1, ts.MinPeers)-ts.Connected, ts.Peers)
	}
	ts.Why = why(ts, now)
	return ts
}

// connectedOf returns how many peers count as connected.
func (t *topology) connectedOf(wanted int) int {
	if t.group.gossips {
		return len(t.group.last)
	}
	return wanted
}

func (t *topology) isStale(now time.Time) bool {
	return !t.lastSet.IsZero() && now.Sub(t.lastSet) > reconcile.StaleAfter
}

// minPeers returns the number of connected peers from which a topology is whole.
func (t Topology) minPeers() int {
	if t.MinPeers == 0 && t.Expect > 0 {
		return t.Expect - 1
	}
	return t.MinPeers
}

// isWhole reports whether the connector lists its peers, and enough of them are connected or, if no number is asked for, there was a
// complete answer. mu is held.
func (t *topology) isWhole() bool {
	if t.s.ended || t.group == nil || !t.group.listed || t.group.listErr != nil {
		return false
	}
	least := t.settings.minPeers()
	if least == 0 {
		return !t.lastSet.IsZero()
	}
	_, connected := t.group.ledger.Counts(t.settings.Name)
	return t.connectedOf(connected) >= least
}

package cluster

import (
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/peer"
)

// Status is a snapshot of a supervisor.
type Status struct {
	Cluster    string
	Node       string
	Topologies []TopologyStatus // in the order of the configuration
}

// TopologyStatus is what is known of one topology.
type TopologyStatus struct {
	Name      string
	Strategy  string
	Connector string
	State     State
	Ready     bool
	Why       string // one sentence: why it is ready, or why not yet

	Expect    int // nodes the cluster should have, this one included; 0 = unknown
	MinPeers  int // connected peers from which it is ready
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

	Peers []PeerStatus // sorted by address
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
	Foreign   bool      // it belongs to another cluster
}

// Status returns a snapshot.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	status := Status{Cluster: s.config.Cluster, Node: s.node.Name}
	for _, c := range s.config.Topologies {
		status.Topologies = append(status.Topologies, s.topologies[c.Name].status(now))
	}
	return status
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
	ts.Ready = t.isReady()
	ts.Why = why(ts, now)
	return ts
}

// connectedOf returns how many peers count as connected.
func (t *topology) connectedOf(wanted int) int {
	if t.group.gossips {
		return t.group.members
	}
	return wanted
}

func (t *topology) isStale(now time.Time) bool {
	return !t.lastSet.IsZero() && now.Sub(t.lastSet) > reconcile.StaleAfter
}

// minPeers returns the number of connected peers from which a topology is ready.
func (t Topology) minPeers() int {
	if t.MinPeers == 0 && t.Expect > 0 {
		return t.Expect - 1
	}
	return t.MinPeers
}

// isReady reports whether enough peers are connected or, if no number is asked for, whether
// there was a complete answer. mu is held.
func (t *topology) isReady() bool {
	if t.group == nil || t.group.listErr != nil {
		return false
	}
	least := t.settings.minPeers()
	if least == 0 {
		return !t.lastSet.IsZero()
	}
	_, connected := t.group.ledger.Counts(t.settings.Name)
	return t.connectedOf(connected) >= least
}

package cluster

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

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
	Next     time.Time // when the strategy looks up again; zero if it does not look up at times of its own
	Err      error     // why there is no complete answer now; nil if there is
	Stale    bool      // the last complete answer is older than 90 s
	Restarts int       // of the strategy, after crashes

	ListErr   error // why the connector cannot list its peers
	EmptyHeld int   // empty answers in a row that are not believed yet
	SelfSeen  bool  // this node was in an answer
	Leaving   bool  // and no longer is, so that it dials no peer
	Handover  error // why a changed configuration is not in force yet

	Peers   []PeerStatus  // sorted by address
	Missing []MissingPeer // of a topology that is not whole: the peers that it most likely lacks, at most as many as it lacks
	Removed []MissingPeer // peers that were removed on purpose and are no longer connected, 64 at most; see connector.RemovedLister
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

// Status returns the newest snapshot: transitions are in it at once, everything else after 50 ms, or longer with many thousands of peers. Slices in it are shared by all callers and must not be changed.
func (s *Supervisor) Status() Status { return s.board.load().status(time.Now()) }

// Watch yields a snapshot at once and then whenever another one is published. A slow reader misses snapshots in between, never the
// newest, and delays nothing. It ends with ctx or with Run, after a last snapshot.
func (s *Supervisor) Watch(ctx context.Context) iter.Seq[Status] {
	return func(yield func(Status) bool) {
		for {
			now := s.board.load()
			if !yield(now.status(time.Now())) || now.phase == ended {
				return
			}
			select {
			case <-now.replaced:
			case <-ctx.Done():
				return
			}
		}
	}
}

// status returns the snapshot as it reads at a time.
func (s *snapshot) status(now time.Time) Status {
	status := Status{Cluster: s.config.Node.Cluster, Node: s.node, Formed: s.formed && s.phase != ended}
	for _, key := range slices.Sorted(maps.Keys(s.connectors)) {
		status.Connectors = append(status.Connectors, s.connectors[key].status)
	}
	for _, t := range s.config.Topologies {
		status.Topologies = append(status.Topologies, s.topologies[t.Name].at(now, s.phase))
	}
	return status
}

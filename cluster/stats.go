package cluster

import (
	"maps"
	"slices"
	"time"

	"github.com/goconvoke/convoke/internal/hist"
)

// Stats are the numbers of a supervisor, for metrics: what [Status] has without peers and sentences. Counters begin at zero with Run;
// those of a topology begin again when it is removed and added.
type Stats struct {
	Cluster, Node, Version string // of the node, as it was at the start

	Formed     bool                 // as in Status
	Events     map[EventKind]uint64 // how many there were of each kind, those without a reader included; kinds that did not occur are absent
	Config     ConfigStats
	Topologies []TopologyStats  // in the order of the configuration
	Connectors []ConnectorStats // those in use, sorted by name
}

// ConfigStats is where the configuration in force comes from.
type ConfigStats struct {
	Hash         uint64    // of its text, equal on all nodes with the same file; 0 if it was not parsed
	ReloadFailed bool      // the file that was read last has mistakes, and is not in force
	Loaded       time.Time // when a file, or the configuration of New, was taken last
}

// Durations is a histogram of durations in buckets with fixed bounds. Its methods return the count, the sum, and the buckets.
type Durations = hist.Snapshot

// TopologyStats are the numbers of one topology. Fields that TopologyStatus has too mean the same.
type TopologyStats struct {
	Name      string
	Strategy  string
	Connector string
	State     State
	Formed    bool
	Whole     bool
	Leaving   bool
	Expect    int
	MinPeers  int
	EmptyHeld int
	Wanted    int
	Connected int

	// Peers by state. Each peer of TopologyStatus.Peers counts once.
	Peers PeerCounts

	LastSet  time.Time
	LastAdd  time.Time
	LastFail time.Time
	Complete uint64 // complete answers
	Partial  uint64 // incomplete answers
	Failures uint64 // reports that there was no answer, crashes included
	Restarts uint64 // of the strategy, after crashes

	FormedIn   time.Duration // from the start of the strategy until the topology had formed; 0: it has not
	LookupTime Durations     // of strategies that look up again and again, see strategy.Poll
}

// PeerCounts is a number of peers for each state that a peer can be in.
type PeerCounts struct {
	Connected int // wanted and connected
	Untried   int // wanted, not connected, and no dial has failed since
	Failing   int // wanted, and the last dial failed
	Foreign   int // wanted, and of another cluster or with other keys or certificates
	Unwanted  int // no longer wanted and still connected
}

// ConnectorStats are the numbers of one connector, or list callback.
type ConnectorStats struct {
	Name               string
	Listed             bool       // it could list its peers once
	Peers              int        // of the last list
	Lists              uint64     // rounds in which it could list them
	ListFailures       uint64     // rounds in which it could not
	RoundTime          Durations  // of rounds: from the call of List until the list was compared
	Dials              DialCounts // calls of Connect that have returned
	DialTime           Durations
	Disconnects        uint64 // calls of Disconnect that have returned
	DisconnectFailures uint64 // with an error
	Overruns           uint64 // calls of Connect and Disconnect that did not return by their deadline
}

// Stats returns the numbers of the newest snapshot, in O(topologies).
func (s *Supervisor) Stats() Stats {
	now := s.board.load()
	stats := Stats{
		Cluster: s.node.Cluster, Node: s.node.Name, Version: s.node.Version, Formed: now.formed && now.phase != ended, Events: s.feed.counted(),
		Config: ConfigStats{Hash: now.config.hash, ReloadFailed: s.reloads.failed.Load(), Loaded: time.Unix(0, s.reloads.last.Load())},
	}
	for _, t := range now.config.Topologies {
		v := now.topologies[t.Name]
		one := v.stats
		one.Whole = one.Whole && now.phase != ended
		stats.Topologies = append(stats.Topologies, one)
	}
	for _, key := range slices.Sorted(maps.Keys(now.connectors)) {
		stats.Connectors = append(stats.Connectors, now.connectors[key].stats)
	}
	return stats
}

// statsOf returns the numbers of a status and of the topology that it describes.
func statsOf(t *TopologyStatus, of *topology) TopologyStats {
	s := &of.source
	stats := TopologyStats{
		Name: t.Name, Strategy: t.Strategy, Connector: t.Connector, State: t.State, Formed: t.Formed, Whole: t.Whole,
		Leaving: t.Leaving, Expect: t.Expect, MinPeers: t.MinPeers, EmptyHeld: t.EmptyHeld, Wanted: t.Wanted, Connected: t.Connected,
		LastSet: t.LastSet, LastAdd: t.LastAdd, LastFail: t.LastFail,
		Complete: s.complete, Partial: s.partial, Failures: s.failed, Restarts: uint64(s.restarts),
		FormedIn: of.formedIn, LookupTime: of.lookups.Read(),
	}
	for i := range t.Peers {
		*stats.Peers.of(&t.Peers[i])++
	}
	return stats
}

// of returns the count that a peer belongs to.
func (c *PeerCounts) of(p *PeerStatus) *int {
	switch {
	case !p.Wanted:
		return &c.Unwanted
	case p.Connected:
		return &c.Connected
	case p.Foreign:
		return &c.Foreign
	case p.Err != nil:
		return &c.Failing
	}
	return &c.Untried
}

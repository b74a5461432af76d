package ops

import (
	"cmp"
	"slices"
	"time"

	"github.com/goconvoke/convoke/cluster"
)

// Topology is what is known of one topology.
type Topology struct {
	Name      string   `json:"name"`
	Strategy  string   `json:"strategy"`
	Connector string   `json:"connector"`
	State     string   `json:"state"` // of the strategy: starting, running, restarting, failed
	Formed    bool     `json:"formed"`
	Whole     bool     `json:"whole"`
	Why       string   `json:"why"` // one sentence: why it is whole, or what it lacks
	Answers   Answers  `json:"answers"`
	Expect    int      `json:"expect"` // nodes, this one included; 0: not known
	MinPeers  int      `json:"min_peers"`
	Wanted    int      `json:"wanted"`            // peers that the strategy found
	Connected int      `json:"connected"`         // peers
	Restarts  int      `json:"restarts"`          // of the strategy
	Stale     bool     `json:"stale"`             // the last complete answer is older than 90 s
	Leaving   bool     `json:"leaving"`           // this node is no longer in the answers, so it dials no peer
	Handover  string   `json:"handover,omitzero"` // why a changed configuration is not in force yet
	ListError string   `json:"list_error,omitzero"`
	Peers     []Peer   `json:"peers"`   // those that are not connected first, [maxPeers] at most
	More      int      `json:"more"`    // peers beyond those
	Missing   []Absent `json:"missing"` // that it most likely lacks
	Removed   []Absent `json:"removed"` // on purpose, and no longer connected: it does not miss them
}

// Answers are the last answers of a strategy, by kind.
type Answers struct {
	Complete   *Moment    `json:"complete,omitzero"`
	Incomplete *Moment    `json:"incomplete,omitzero"`
	Failure    *Moment    `json:"failure,omitzero"`
	Error      string     `json:"error,omitzero"` // why there is no complete answer now
	Next       *time.Time `json:"next_lookup,omitzero"`
}

// Moment is when something was.
type Moment struct {
	At  time.Time `json:"at"`
	Age float64   `json:"age_seconds"`
}

// Peer is a peer of a topology.
type Peer struct {
	Addr      string     `json:"addr"`
	ID        Text       `json:"id,omitzero"`
	Zone      Text       `json:"zone,omitzero"`
	Version   Text       `json:"version,omitzero"`
	Wanted    bool       `json:"wanted"`
	Connected bool       `json:"connected"`
	Since     *time.Time `json:"connected_since,omitzero"`
	Attempts  int        `json:"attempts,omitzero"` // since it was last connected
	Error     string     `json:"error,omitzero"`    // of the last dial or disconnect
	Next      *time.Time `json:"next_dial,omitzero"`
	Foreign   bool       `json:"foreign,omitzero"` // of another cluster, or with other keys or certificates
}

// Absent is a peer that a topology lacks.
type Absent struct {
	Addr  string     `json:"addr"`
	ID    Text       `json:"id,omitzero"`
	Since *time.Time `json:"since,omitzero"` // when it was no longer connected; absent: it never was
	Left  bool       `json:"left"`           // it announced that it leaves
}

// maxPeers bounds the peers of a topology in a document.
const maxPeers = 1000

func topologyOf(t *cluster.TopologyStatus) Topology {
	out := Topology{
		Name: t.Name, Strategy: t.Strategy, Connector: t.Connector, State: string(t.State), Formed: t.Formed, Whole: t.Whole, Why: t.Why,
		Expect: t.Expect, MinPeers: t.MinPeers, Wanted: t.Wanted, Connected: t.Connected, Restarts: t.Restarts, Stale: t.Stale, Leaving: t.Leaving,
		Handover: errorText(t.Handover), ListError: errorText(t.ListErr), Missing: []Absent{}, Removed: []Absent{},
		Answers: Answers{momentOf(t.LastSet), momentOf(t.LastAdd), momentOf(t.LastFail), errorText(t.Err), timeOf(t.Next)},
	}
	out.Peers, out.More = peersOf(t.Peers)
	for _, m := range t.Missing {
		out.Missing = append(out.Missing, absentOf(m))
	}
	for _, m := range t.Removed {
		out.Removed = append(out.Removed, absentOf(m))
	}
	return out
}

func absentOf(m cluster.MissingPeer) Absent {
	return Absent{m.Addr, Text(m.ID), timeOf(m.Since), m.Left}
}

// peersOf returns the peers, those that are not connected first, and how many are left out.
func peersOf(all []cluster.PeerStatus) (out []Peer, more int) {
	order := make([]*cluster.PeerStatus, len(all))
	for i := range all {
		order[i] = &all[i]
	}
	slices.SortStableFunc(order, func(a, b *cluster.PeerStatus) int { return cmp.Compare(rank(a), rank(b)) })
	more = max(0, len(order)-maxPeers)
	out = make([]Peer, 0, len(order)-more)
	for _, p := range order[:len(order)-more] {
		out = append(out, Peer{
			Addr: p.Addr, ID: Text(p.ID), Zone: Text(p.Zone), Version: Text(p.Version), Wanted: p.Wanted, Connected: p.Connected,
			Since: timeOf(p.Since), Attempts: p.Attempts, Error: errorText(p.Err), Next: timeOf(p.Next), Foreign: p.Foreign,
		})
	}
	return out, more
}

func rank(p *cluster.PeerStatus) int {
	if p.Connected {
		return 1
	}
	return 0
}

func momentOf(t time.Time) *Moment {
	if t.IsZero() {
		return nil
	}
	return &Moment{t, max(0, time.Since(t).Seconds())}
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

package cluster

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
)

// topologyView is what a reconciler publishes of one topology. Why and Stale of its status are empty: they age, so they are added when the
// status is read, as is the time of the next lookup.
type topologyView struct {
	status TopologyStatus
	stats  TopologyStats
	run    *runner // of the strategy; nil before it is started
}

// connectorView is what a reconciler publishes of its list.
type connectorView struct {
	status ConnectorStatus
	stats  ConnectorStats
	round  time.Time // when the last round ended
}

// newView returns the view of a topology that no reconciler has published yet.
func newView(t Topology, r *registry) *topologyView {
	v := &topologyView{status: TopologyStatus{
		Name: t.Name, Connector: r.connectorName(t), State: Starting, Expect: t.Expect, MinPeers: t.minPeers(),
	}}
	if t.Config != nil {
		v.status.Strategy = t.Config.Kind
	}
	s := &v.status
	v.stats = TopologyStats{
		Name: s.Name, Strategy: s.Strategy, Connector: s.Connector, State: s.State, Expect: s.Expect, MinPeers: s.MinPeers,
	}
	return v
}

// at returns the status as it reads at a time.
func (v *topologyView) at(now time.Time, p phase) TopologyStatus {
	t := v.status
	t.Stale = !t.LastSet.IsZero() && now.Sub(t.LastSet) > reconcile.StaleAfter
	t.Whole = t.Whole && p != ended
	t.Why = why(t, now)
	if v.run != nil && p == running {
		if next := v.run.next.Load(); next != 0 {
			t.Next = time.Unix(0, next)
		}
	}
	return t
}

// view returns what is known of a topology now.
func (r *reconciler) view(t *topology) *topologyView {
	v := newView(t.settings, &r.registry)
	v.run = t.current
	s := &v.status
	t.source.addTo(s)
	l := r.ledger.Topology(t.settings.Name)
	s.Wanted, s.Connected = l.Wanted, r.connectedOf(l.Connected)
	s.EmptyHeld, s.SelfSeen, s.Leaving = l.EmptyHeld, l.SelfSeen, l.Leaving
	s.Handover, s.ListErr = t.pendingErr, r.list.err
	s.Formed, s.Whole = t.formed, t.whole
	if len(l.Peers) > 0 {
		s.Peers = make([]PeerStatus, len(l.Peers))
	}
	for i, p := range l.Peers {
		s.Peers[i] = PeerStatus(p)
	}
	lacks := 0
	if !s.Whole {
		lacks = max(s.Expect-1, s.MinPeers) - s.Connected
	}
	s.Missing, s.Removed = r.departed.missing(lacks, s.Peers)
	v.stats = statsOf(s, t)
	return v
}

// connectedOf returns how many peers of a topology count as connected, given how many of those wanted are.
func (r *reconciler) connectedOf(wanted int) int {
	if r.gossips {
		return len(r.list.peers)
	}
	return wanted
}

// checkWhole compares whether a topology is whole with what was so before, and reports a transition.
func (r *reconciler) checkWhole(t *topology) {
	if whole := r.isWhole(t); whole != t.whole {
		t.whole = whole
		r.reportWhole(t)
		r.publication.urgent = true
	}
	t.changed, r.publication.pending = true, true
}

// isWhole reports whether the connector lists its peers, and enough of them are connected or, if no number is asked for, there was a
// complete answer.
func (r *reconciler) isWhole(t *topology) bool {
	if !r.list.done || r.list.err != nil {
		return false
	}
	least := t.settings.minPeers()
	if least == 0 {
		return !t.source.lastSet.IsZero()
	}
	_, connected := r.ledger.Counts(t.settings.Name)
	return r.connectedOf(connected) >= least
}

// reportWhole logs and publishes that a topology is whole, or no longer.
func (r *reconciler) reportWhole(t *topology) {
	name := t.settings.Name
	phrase, kind := "topology is not whole any longer", EventTopologyNotWhole
	switch {
	case t.whole && t.formed:
		phrase, kind = "topology is whole again", EventTopologyWhole
	case t.whole:
		t.formed, t.formedIn = true, time.Since(t.began)
		r.feed.emit(Event{Kind: EventTopologyFormed, Topology: name})
		phrase, kind = "topology has formed", EventTopologyWhole
	}
	r.reporter.turn("topology "+name, hclog.Info, phrase, "topology", name, "why", r.view(t).at(time.Now(), running).Why)
	r.feed.emit(Event{Kind: kind, Topology: name})
}

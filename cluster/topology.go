package cluster

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/internal/hist"
	"github.com/goconvoke/convoke/peer"
	"go.opentelemetry.io/otel/trace"
)

const maxPeers = 1 << 20 // peers of one topology; more is taken for a fault of the source

// topology is a topology that runs. The loop of one reconciler owns it; a change of the connector hands it to another one. Only its mailbox is
// used by others.
type topology struct {
	settings Topology
	began    time.Time // its first strategy
	mailbox  *mailbox
	current  *runner
	pending  *runner            // of a changed configuration, until its first answer
	lookups  hist.Histogram     // how long lookups took; used by its runners too
	lookup   *trace.SpanContext // of the last answer; nil if it was not traced

	source     source
	pendingErr error         // of pending
	formed     bool          // it was whole once
	formedIn   time.Duration // from began until it was
	whole      bool
	changed    bool // since it was published
}

func newTopology(settings Topology) *topology {
	return &topology{
		settings: settings, began: time.Now(), source: source{state: Starting}, mailbox: &mailbox{reports: make(chan report, 1)},
	}
}

// minPeers returns the number of connected peers from which a topology is whole.
func (t Topology) minPeers() int {
	if t.MinPeers == 0 && t.Expect > 0 {
		return t.Expect - 1
	}
	return t.MinPeers
}

// sameSettings compares all but the strategy's own configuration and where it was read.
func sameSettings(a, b Topology) bool {
	a.Config, a.node, a.Strategy = nil, nil, ""
	b.Config, b.node, b.Strategy = nil, nil, ""
	return a == b
}

// addTopology takes over a topology, with the peers that were wanted on another reconciler, and starts its strategy unless it runs.
func (r *reconciler) addTopology(ctx context.Context, t *topology, wanted []peer.Peer, now time.Time) {
	name := t.settings.Name
	r.topologies[name] = t
	r.ledger.AddTopology(name, r.pruneRule(t.settings))
	r.ledger.Add(name, wanted, now)
	t.mailbox.reader.Store(r)
	r.signal() // for a report that came before: its sender woke the reconciler of then
	if t.current == nil {
		t.current = r.startRunner(ctx, t)
	} else {
		t.signalSelf() // it has another connector now
	}
	r.topologyChanged(t)
}

// signalSelf wakes the strategies of a topology because the names and addresses of this node may be others now.
func (t *topology) signalSelf() {
	for _, run := range []*runner{t.current, t.pending} {
		if run != nil {
			run.signalSelf()
		}
	}
}

// releaseTopology gives up a topology that moves to another reconciler, and returns it with the peers that it wants.
func (r *reconciler) releaseTopology(name string, now time.Time) (*topology, []peer.Peer) {
	t, wanted := r.topologies[name], r.ledger.Wanted(name)
	delete(r.topologies, name)
	r.ledger.RemoveTopology(name, now)
	r.schedule.requestRound()
	return t, wanted
}

// changeTopology puts other settings into force. A changed strategy runs beside the one before until its first answer.
func (r *reconciler) changeTopology(ctx context.Context, name string, to Topology) {
	t := r.topologies[name]
	same := t.settings.Config.Equal(to.Config)
	t.settings = to
	r.ledger.AddTopology(name, r.pruneRule(to))
	if !same {
		if t.pending != nil {
			r.stopRunner(t.pending)
		}
		t.pending, t.pendingErr = r.startRunner(ctx, t), nil
	}
	r.topologyChanged(t)
}

// removeTopology ends a topology.
func (r *reconciler) removeTopology(name string, now time.Time) {
	t, _ := r.releaseTopology(name, now)
	for _, run := range []*runner{t.current, t.pending} {
		if run != nil {
			r.stopRunner(run)
		}
	}
}

// topologyChanged asks for a round and publishes the topology at once.
func (r *reconciler) topologyChanged(t *topology) {
	r.schedule.requestRound()
	r.checkWhole(t)
	r.publication.urgent = true
}

// pruneRule returns when peers of a topology are disconnected.
func (r *reconciler) pruneRule(t Topology) reconcile.Prune {
	p := t.Prune
	if p == (Prune{}) {
		p = DefaultPrune()
	}
	never := p.Mode == pruneNever || p.Mode == "" && r.gossips || !r.canDisconnect(t)
	return reconcile.Prune{Never: never, After: p.After, MaxFraction: p.MaxFraction}
}

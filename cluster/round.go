package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/peer"
)

const roundSpread = 0.2 // of the time between two rounds without a cause

// listed is what a round has collected: the connected peers and the addresses of this node, or why there is no list.
type listed struct {
	peers []peer.Peer
	self  []peer.Peer
	left  []peer.Peer // that announced that they leave, as far as the connector reports it
	err   error

	removed []string // IDs of peers that were removed on purpose, as far as the connector reports it

	overran bool // the call for the list still runs
}

// beginRound collects what the connector lists, in a goroutine of its own: the connector may hang.
func (r *reconciler) beginRound(ctx context.Context, now time.Time) {
	r.schedule.begin(now)
	if r.list.overran {
		r.endRound(ctx, listed{err: errListing, overran: true}, now)
		return
	}
	r.tasks.start("round of "+r.key, func() { r.collectList(ctx) })
}

// collectList calls the connector and posts what it returned. It runs outside of the loop.
//
// A call that overruns ends its round with an error, at its deadline, so that the status shows it. The goroutine stays until the call
// returns: until then no round calls again, or a connector that hangs would collect a goroutine with every round, and the end of the
// supervisor waits for it and can name it.
func (r *reconciler) collectList(ctx context.Context) {
	var got listed
	var late *errOverran
	got.peers, got.err = callWithDeadline(&r.tasks, ctx, listTimeout, "list of "+r.name, r.listPeer)
	got.overran = errors.As(got.err, &late)
	got.peers = slices.Clone(got.peers) // the connector may change its own, and readers of the status hold these
	got.self, got.left, got.removed = r.ownAddresses(), r.leftPeers(), r.removedPeers()
	r.postMessage(func(now time.Time) { r.endRound(ctx, got, now) })
	if !got.overran {
		return
	}
	<-late.done
	r.postMessage(func(time.Time) {
		r.list.overran = false
		r.schedule.requestRound()
	})
}

// ownAddresses returns every address under which this node may find itself in an answer.
func (r *reconciler) ownAddresses() []peer.Peer {
	var self []peer.Peer
	err := recoverPanic(func() error { self = r.self(r.base); return nil })
	if err != nil {
		r.reporter.error("connector cannot report this node's addresses", append([]any{"connector", r.name}, errorArgs(err)...)...)
	}
	return expandSelf(self)
}

// noteSelf signals the strategies when the names and addresses of this node are others than in the round before: those that announce
// this node do so again at once. The first round signals too, because strategies start before the connector knows its address.
func (r *reconciler) noteSelf(self []peer.Peer) {
	if len(self) == 0 || slices.Equal(self, r.lastSelf) {
		return // not known in this round, or as before
	}
	r.lastSelf = self
	for _, t := range r.topologies {
		t.signalSelf()
	}
}

// leftPeers returns the peers that the connector knows to have left.
func (r *reconciler) leftPeers() (left []peer.Peer) {
	l, ok := r.base.(connector.LeftLister)
	if !ok {
		return nil
	}
	if err := recoverPanic(func() error { left = l.ListLeft(); return nil }); err != nil {
		r.reporter.error("connector cannot list the peers that have left", append([]any{"connector", r.name}, errorArgs(err)...)...)
	}
	return left
}

// removedPeers returns the IDs of the peers that the connector knows to be removed.
func (r *reconciler) removedPeers() (removed []string) {
	l, ok := r.base.(connector.RemovedLister)
	if !ok {
		return nil
	}
	if err := recoverPanic(func() error { removed = l.ListRemoved(); return nil }); err != nil {
		r.reporter.error("connector cannot list the peers that were removed", append([]any{"connector", r.name}, errorArgs(err)...)...)
	}
	return removed
}

// reportGone reports the peers that are no longer listed. Members of a connector that gossips count whether a topology wants them or not:
// one that leaves is often out of the answers first.
func (r *reconciler) reportGone(gone []MissingPeer, plan reconcile.Plan) {
	reported := make(map[string]bool, len(plan.Down)+len(plan.Dropped))
	for _, c := range plan.Dropped {
		reported[identity(c.Peer)], reported[c.Peer.Addr] = true, true // a peer of an answer may have no ID
	}
	for _, c := range plan.Down {
		reported[identity(c.Peer)], reported[c.Peer.Addr] = true, true
		r.reportLost(c, r.departed.hasLeft(c.Peer))
	}
	for _, p := range gone {
		if r.gossips && !reported[identity(p.Peer)] && !reported[p.Addr] {
			r.reportLost(reconcile.Call{Peer: p.Peer}, p.Left)
		}
	}
}

// reportLost reports a peer that is no longer connected; left: because it announced that it leaves, unless it was removed.
func (r *reconciler) reportLost(c reconcile.Call, left bool) {
	switch {
	case r.departed.isRemoved(c.Peer):
		r.reportPeer(noticeRemoved, EventPeerRemoved, c, nil)
	case left:
		r.reportPeer(noticeLeft, EventPeerLeft, c, nil)
	default:
		r.reportPeer(noticeLost, EventPeerLost, c, nil)
	}
}

// endRound compares what is connected with what is wanted, and begins the calls that the comparison asks for. Without a list it compares
// nothing: that a list is unknown does not mean that no peer is connected.
//
// The order matters: departures are noted before the ledger sees the list, since a report of a lost peer needs to know whether it left,
// and own addresses are known to the ledger before it plans, or the node would dial itself. Whether topologies are whole is looked at in
// every round, since it can change by the list alone.
func (r *reconciler) endRound(ctx context.Context, got listed, now time.Time) {
	if ctx.Err() != nil {
		return
	}
	pause := backoff.Jitter(nil, reconcile.Interval, roundSpread)
	r.noteList(got, now)
	r.noteSelf(got.self)
	if got.err != nil {
		pause = min(pause, r.list.retryDelay(now))
	} else {
		r.departed.setRemoved(got.removed)
		gone := r.departed.update(got.peers, got.left, now)
		r.ledger.SetSelf(got.self)
		plan := r.ledger.Round(got.peers, now)
		r.reportGone(gone, plan)
		if !plan.Next.IsZero() {
			pause = min(pause, plan.Next.Sub(now))
		}
		r.carryOut(r.traceRound(ctx, &plan), plan)
	}
	r.round = now
	r.roundTime.Observe(now.Sub(r.schedule.begun))
	r.schedule.end(now, pause)
	for _, t := range r.topologies {
		r.checkWhole(t)
	}
	r.publication.pending = true
}

// carryOut carries out a plan.
func (r *reconciler) carryOut(ctx context.Context, plan reconcile.Plan) {
	for _, part := range []struct {
		calls  []reconcile.Call
		notice *noticeKind
		event  EventKind
		err    error
	}{
		{plan.Up, noticeConnected, EventPeerConnected, nil},
		{plan.Dropped, noticeDropped, EventPeerDropped, nil},
		{plan.Unlisted, noticeUnlisted, EventPeerUnlisted, reconcile.ErrUnlisted},
		{plan.Forgotten, noticeForgotten, EventPeerForgotten, nil},
	} {
		for _, c := range part.calls {
			r.reportPeer(part.notice, part.event, c, part.err)
		}
	}
	// A peer is dialled for a topology that wants it now, so that one exists. It is dropped for one that may have been removed.
	for _, c := range plan.Dial {
		connect := r.connect(r.topologies[c.Topology].settings)
		r.tasks.start("dial of "+c.Peer.String(), func() { r.dialPeer(ctx, c, connect) })
	}
	for _, c := range plan.Drop {
		disconnect := r.disconnectFor(c)
		r.tasks.start("drop of "+c.Peer.String(), func() { r.dropPeer(ctx, c, disconnect) })
	}
}

// reportPeer publishes an event of a peer and notes it for the log.
func (r *reconciler) reportPeer(notice *noticeKind, event EventKind, c reconcile.Call, err error) {
	r.reporter.addNotice(notice, c.Topology, c.Peer, err)
	r.feed.emit(Event{Kind: event, Topology: c.Topology, Connector: r.name, Peer: c.Peer, Err: err})
}

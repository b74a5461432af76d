package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/peer"
)

const roundSpread = 0.2 // of the time between two rounds without a cause

// listed is what a round has collected: the connected peers and the addresses of this node, or why there is no list.
type listed struct {
	peers []peer.Peer
	self  []peer.Peer
	err   error

	overran bool // the call for the list still runs
}

// beginRound collects what the connector lists, in a goroutine of its own: the connector may hang.
func (r *reconciler) beginRound(ctx context.Context, now time.Time) {
	r.schedule.begin(now)
	if r.list.overran {
		r.endRound(ctx, listed{err: errListing, overran: true}, now)
		return
	}
	r.tasks.start("round of "+r.key, func() { r.collect(ctx) })
}

// collect calls the connector and posts what it returned. It runs outside of the loop.
func (r *reconciler) collect(ctx context.Context) {
	var got listed
	var late *errOverran
	got.peers, got.err = call(&r.tasks, ctx, listTimeout, "list of "+r.name, r.listPeer)
	got.overran = errors.As(got.err, &late)
	got.peers = slices.Clone(got.peers) // the connector may change its own, and readers of the status hold these
	got.self = r.ownAddresses()
	r.post(func(now time.Time) { r.endRound(ctx, got, now) })
	if !got.overran {
		return
	}
	<-late.done
	r.post(func(time.Time) {
		r.list.overran = false
		r.schedule.ask()
	})
}

// ownAddresses returns every address under which this node may find itself in an answer.
func (r *reconciler) ownAddresses() []peer.Peer {
	var self []peer.Peer
	err := guard(func() error { self = r.self(r.base); return nil })
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

// endRound compares what is connected with what is wanted, and begins the calls that the comparison asks for.
func (r *reconciler) endRound(ctx context.Context, got listed, now time.Time) {
	if ctx.Err() != nil {
		return
	}
	pause := backoff.Jitter(nil, reconcile.Interval, roundSpread)
	r.noteList(got, now)
	r.noteSelf(got.self)
	if got.err != nil {
		pause = min(pause, r.list.retry(now))
	} else {
		r.departed.update(got.peers, now)
		r.ledger.SetSelf(got.self)
		plan := r.ledger.Round(got.peers, now)
		if !plan.Next.IsZero() {
			pause = min(pause, plan.Next.Sub(now))
		}
		r.follow(ctx, plan)
	}
	r.round = now
	r.schedule.end(now, pause)
	for _, t := range r.topologies {
		r.checkWhole(t)
	}
	r.publication.pending = true
}

// follow carries out a plan.
func (r *reconciler) follow(ctx context.Context, plan reconcile.Plan) {
	for _, part := range []struct {
		calls  []reconcile.Call
		notice *noticeKind
		event  EventKind
		err    error
	}{
		{plan.Up, noticeConnected, EventPeerConnected, nil},
		{plan.Down, noticeLost, EventPeerLost, nil},
		{plan.Dropped, noticeDropped, EventPeerDropped, nil},
		{plan.Unlisted, noticeUnlisted, EventPeerUnlisted, reconcile.ErrUnlisted},
		{plan.Forgotten, noticeForgotten, EventPeerForgotten, nil},
	} {
		for _, c := range part.calls {
			r.reportPeer(part.notice, part.event, c, part.err)
		}
	}
	for _, c := range plan.Dial {
		connect := r.connect(r.topologies[c.Topology].settings)
		r.tasks.start("dial of "+c.Peer.String(), func() { r.dial(ctx, c, connect) })
	}
	for _, c := range plan.Drop {
		disconnect := r.disconnectFor(c)
		r.tasks.start("drop of "+c.Peer.String(), func() { r.drop(ctx, c, disconnect) })
	}
}

// reportPeer publishes an event of a peer and notes it for the log.
func (r *reconciler) reportPeer(notice *noticeKind, event EventKind, c reconcile.Call, err error) {
	r.reporter.note(notice, c.Topology, c.Peer, err)
	r.feed.emit(Event{Kind: event, Topology: c.Topology, Connector: r.name, Peer: c.Peer, Err: err})
}

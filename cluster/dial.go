package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/hist"
	"github.com/goconvoke/convoke/internal/span"
	"github.com/goconvoke/convoke/peer"
)

const dialTimeout = 10 * time.Second

// callCounts counts the calls of Connect and Disconnect that have returned, and those that did not by their deadline.
type callCounts struct {
	dials                                     DialCounts
	dialTime                                  hist.Histogram
	disconnects, disconnectFailures, overruns uint64
}

// DialCounts are calls of Connect that have returned, by what they returned. Each call counts once.
type DialCounts struct {
	OK        uint64
	Failed    uint64 // any other error
	Foreign   uint64 // connector.ErrForeign
	Untrusted uint64 // connector.ErrUntrusted
	Self      uint64 // connector.ErrSelf
}

// count counts a call.
func (c *DialCounts) count(err error) {
	switch {
	case err == nil:
		c.OK++
	case errors.Is(err, connector.ErrSelf):
		c.Self++
	case errors.Is(err, connector.ErrUntrusted):
		c.Untrusted++
	case errors.Is(err, connector.ErrForeign):
		c.Foreign++
	default:
		c.Failed++
	}
}

// dialPeer dials a peer and posts the result. It runs outside of the loop, and returns when the call has: also long after its deadline.
//
// A dial that overruns is posted twice. At its deadline it gives its place among the dials that run to another peer, or a few addresses
// that hang would stop all others; at its return the peer may be dialled again, and not before, since a peer has one call at a
// time.
func (r *reconciler) dialPeer(ctx context.Context, c reconcile.Call, connect connector.ConnectFunc) {
	began := time.Now()
	ctx, sp := r.traceCall(ctx, "convoke.dial", c)
	err := r.callPeer(ctx, "connect "+c.Peer.String(), c.Peer, connect)
	var late *errOverran
	overran := errors.As(err, &late)
	if overran {
		r.postMessage(func(time.Time) {
			r.ledger.Overran(c.Peer.Addr, err)
			r.reportOverrun(c, err)
		})
		<-late.done
	}
	elapsed := time.Since(began)
	span.End(sp, err)
	r.postMessage(func(now time.Time) {
		r.calls.dials.count(err)
		r.calls.dialTime.Observe(elapsed)
		finish := r.ledger.Dialed
		if overran {
			finish = r.ledger.Returned
		}
		if o := finish(c.Peer.Addr, err, now); ctx.Err() == nil {
			r.reportDial(c, err, o)
		}
		r.topologyCalled(c.Topology)
	})
}

// callPeer calls a callback for a peer under its deadline.
func (r *reconciler) callPeer(ctx context.Context, what string, p peer.Peer, f func(context.Context, peer.Peer) error) error {
	_, err := callWithDeadline(&r.tasks, ctx, dialTimeout, what, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, f(ctx, p)
	})
	return err
}

// reportOverrun reports a call that did not return by its deadline.
func (r *reconciler) reportOverrun(c reconcile.Call, err error) {
	r.calls.overruns++
	r.reporter.addNotice(noticeOverran, c.Topology, c.Peer, err)
	r.topologyCalled(c.Topology)
}

// topologyCalled asks for a round after a call for a topology, and has the topology published.
func (r *reconciler) topologyCalled(topology string) {
	r.schedule.requestRound()
	r.publication.pending = true
	if t := r.topologies[topology]; t != nil {
		t.changed = true
	}
}

// reportDial publishes and logs a dial that failed, once in a while. That a peer cannot be reached is expected, and no warning, if it left or was
// removed and the answers still name it, or if it is listed: it came back at another address, or dialled this node.
func (r *reconciler) reportDial(c reconcile.Call, err error, o reconcile.Outcome) {
	switch {
	case o.Self:
		r.reporter.debug("an address is this node's own", "topology", c.Topology, "peer", c.Peer)
	case o.Foreign && errors.Is(err, connector.ErrUntrusted):
		r.reportPeer(noticeUntrusted, EventPeerUntrusted, c, err)
	case o.Foreign:
		r.reportPeer(noticeForeign, EventPeerForeign, c, err)
	case o.Report && (r.departed.hasLeft(c.Peer) || r.departed.has(c.Peer) || r.departed.isRemoved(c.Peer)):
		r.reporter.debug(noticeUnreachable.one, append([]any{"topology", c.Topology, "peer", c.Peer}, errorArgs(err)...)...)
		r.feed.emit(Event{Kind: EventDialFailed, Topology: c.Topology, Connector: r.name, Peer: c.Peer, Err: err})
	case o.Report && !errors.Is(err, connector.ErrForeign) && !errors.Is(err, connector.ErrUntrusted):
		r.reportPeer(noticeUnreachable, EventDialFailed, c, err)
	}
}

// disconnectFor returns the function that disconnects a peer of a plan. Its topology may have been removed.
func (r *reconciler) disconnectFor(c reconcile.Call) connector.DisconnectFunc {
	if t := r.topologies[c.Topology]; t != nil {
		return r.disconnect(t.settings)
	}
	if r.base != nil {
		return r.base.Disconnect
	}
	return connector.Funcs{}.Disconnect
}

// dropPeer disconnects a peer and posts the result. It runs outside of the loop, and returns when the call has. One that overruns gives no
// place free: the ledger bounds how many peers are dropped in a time, not how many calls run.
func (r *reconciler) dropPeer(ctx context.Context, c reconcile.Call, disconnect connector.DisconnectFunc) {
	ctx, sp := r.traceCall(ctx, "convoke.drop", c)
	err := r.callPeer(ctx, "disconnect "+c.Peer.String(), c.Peer, disconnect)
	var late *errOverran
	if errors.As(err, &late) {
		r.postMessage(func(time.Time) { r.reportOverrun(c, err) })
		<-late.done
	}
	span.End(sp, err)
	r.postMessage(func(now time.Time) {
		r.calls.disconnects++
		if err != nil {
			r.calls.disconnectFailures++
		}
		if o := r.ledger.Dropped(c.Peer.Addr, err, now); o.Report && ctx.Err() == nil {
			r.reportPeer(noticeStays, EventDisconnectFailed, c, o.Err)
		}
		r.topologyCalled(c.Topology)
	})
}

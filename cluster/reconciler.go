package cluster

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/hist"
	"github.com/goconvoke/convoke/peer"
)

// reconciler keeps all topologies connected that share a list of connected peers. The loop in run owns the fields of the last group. Others
// reach it through a mailbox of a topology, through messages, and through what it publishes.
type reconciler struct {
	*shared
	key      string              // of the list
	name     string              // of the connector or the list callback
	base     connector.Connector // nil if callbacks stand for all of it
	listPeer connector.ListFunc
	gossips  bool            // base spreads its members by itself
	changes  <-chan struct{} // of base, if the list is its own; else nil

	posted   chan struct{}            // of one: a mailbox holds a report
	messages chan func(now time.Time) // functions for the loop to run; unbuffered
	ended    chan struct{}            // closed when the loop has ended

	ledger      *reconcile.Ledger
	topologies  map[string]*topology
	list        list
	departed    peerHistory
	lastSelf    []peer.Peer // how the last round named this node
	calls       callCounts
	roundTime   hist.Histogram // from the call of List to the end of the comparison
	schedule    schedule
	publication publication
	round       time.Time // when the last one ended, or the loop began
}

// newReconciler makes the reconciler of the list that a topology names.
func newReconciler(s *shared, t Topology, l link) *reconciler {
	r := &reconciler{
		shared: s, key: s.listKey(t), name: s.connectorName(t), base: s.connectorOf(t), gossips: l.gossips,
		posted: make(chan struct{}, 1), messages: make(chan func(time.Time)), ended: make(chan struct{}),
		topologies: make(map[string]*topology), round: time.Now(),
	}
	if t.List != "" {
		r.name, r.listPeer = t.List, s.lists[t.List]
	} else {
		r.listPeer, r.changes = r.base.List, l.changes
	}
	r.ledger = reconcile.New(r.gossips, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	r.schedule.requestRound()
	return r
}

// run is the loop: it waits for a message, a report, a change of the list, or the time of what is due.
func (r *reconciler) run(ctx context.Context) {
	defer close(r.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		// What is due is done before each wait, not by the timer alone: sources and connectors that report without a pause cannot keep a
		// round or a publication from its time.
		if at, ok := r.doDue(ctx, time.Now()); ok {
			timer.Reset(time.Until(at))
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
		case <-timer.C:
		case message := <-r.messages:
			message(time.Now())
		case <-r.posted:
			r.takeReports()
		case <-r.changes:
			r.schedule.requestRound()
		}
	}
	r.publish() // what came since the last publication, as the state at the end
}

// doDue begins a round and publishes, if they are due, and returns when to act again; ok is false if only a message can be the cause.
func (r *reconciler) doDue(ctx context.Context, now time.Time) (next time.Time, ok bool) {
	if at, ok := r.schedule.next(); ok && !now.Before(at) {
		r.beginRound(ctx, now)
	}
	if at, ok := r.publication.due(); ok && !now.Before(at) {
		r.publish()
	}
	next, ok = r.schedule.next()
	if at, pending := r.publication.due(); pending && (!ok || at.Before(next)) {
		next, ok = at, true
	}
	return next, ok
}

// publish publishes the topologies that have changed, and the list.
func (r *reconciler) publish() {
	began := time.Now()
	views := make(map[string]*topologyView)
	for name, t := range r.topologies {
		if t.changed {
			t.changed = false
			views[name] = r.view(t)
		}
	}
	r.board.publish(r.key, r.connectorView(), views)
	r.publication.done(began, time.Now())
}

// postMessage has the loop run a function, and does not wait for that. It is dropped if the loop has ended.
func (r *reconciler) postMessage(message func(now time.Time)) {
	select {
	case r.messages <- message:
	case <-r.ended:
	}
}

// runInLoop has the loop run a function and waits until it has. It returns false if the loop has ended before.
func (r *reconciler) runInLoop(message func(now time.Time)) bool {
	done := make(chan struct{})
	select {
	case r.messages <- func(now time.Time) { defer close(done); message(now) }:
		<-done
		return true
	case <-r.ended:
		return false
	}
}

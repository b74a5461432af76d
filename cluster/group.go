package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

const (
	listTimeout = 10 * time.Second
	dialTimeout = 10 * time.Second
	startGrace  = 2 * time.Second       // in which a connector that starts may be unable to list
	roundGap    = 50 * time.Millisecond // least time between rounds, so that news come in batches
)

// group is the reconciler of all topologies that share a list of connected peers. The
// supervisor's mu guards it, apart from what never changes.
type group struct {
	s       *Supervisor
	name    string              // of the connector or the list, for people
	base    connector.Connector // nil if callbacks stand for all of it
	list    connector.ListFunc
	own     bool // list is base's own, so its changes are for this group to read
	gossips bool
	wake    chan struct{} // of one: a round is due

	ledger  *reconcile.Ledger
	listing bool // a List that did not return by its deadline still runs
	listErr error
	failing time.Time   // since when the list cannot be had; zero if it can
	listed  bool        // it could be had once
	turned  time.Time   // when the loop began its last turn
	last    []peer.Peer // the last list; never changed
	gone    departed
	warned  bool
}

// groupKey names the list that a topology's peers are compared with.
func (s *Supervisor) groupKey(t Topology) string {
	if t.List != "" {
		return "list " + t.List
	}
	return "connector " + s.connectorName(t)
}

func (s *Supervisor) connectorName(t Topology) string {
	if t.Connector != "" {
		return t.Connector
	}
	return s.defaultConnector
}

func (s *Supervisor) connectorOf(t Topology) connector.Connector {
	return s.connectors[s.connectorName(t)]
}

// groupOf returns the reconciler of a topology, a new one if it is the first. mu is held.
func (s *Supervisor) groupOf(t Topology) *group {
	key := s.groupKey(t)
	if g := s.groups[key]; g != nil {
		return g
	}
	name := s.connectorName(t)
	if t.List != "" {
		name = t.List
	}
	g := &group{s: s, turned: time.Now(), name: name, base: s.connectorOf(t), list: s.lists[t.List], wake: make(chan struct{}, 1)}
	if g.list == nil {
		g.list, g.own = g.base.List, true
	}
	if gossiper, ok := g.base.(connector.Gossiper); ok {
		g.gossips = gossiper.Gossips()
	}
	g.ledger = reconcile.New(g.gossips, rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	s.groups[key] = g
	ctx := s.ctx
	s.tasks.start("reconciler of "+key, func() { g.run(ctx) })
	return g
}

func (g *group) wakeUp() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// run reconciles when something changed, and every 10 s ±20 % anyhow.
func (g *group) run(ctx context.Context) {
	var changes <-chan struct{}
	if n, ok := g.base.(connector.Notifier); ok && g.own {
		changes = n.Changes()
	}
	g.wakeUp()
	timer := time.NewTimer(reconcile.Interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-g.wake:
		case <-changes:
		}
		started := g.turn()
		next := g.round(ctx)
		// What comes in meanwhile is dealt with together; a round that takes long is
		// followed by a longer rest, 40 s at most.
		timer.Reset(max(roundGap, 4*min(g.turn().Sub(started), listTimeout)))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(next)
	}
}

// turn records that the loop turns, and returns when.
func (g *group) turn() time.Time {
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.turned = time.Now()
	return g.turned
}

// round lists, compares, and starts what the comparison asks for. It returns the time to the next one.
func (g *group) round(ctx context.Context) time.Duration {
	pause := jitter(reconcile.Interval)
	connected, err := g.connected(ctx)
	if ctx.Err() != nil {
		return pause
	}
	self := g.ownAddresses()

	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.noteList(err)
	if err != nil {
		g.s.notifyStatus()
		return min(pause, g.retryList())
	}
	now := time.Now()
	g.last = slices.Clone(connected) // readers of the status hold it; the connector may change its own
	g.gone.update(connected, now)
	g.ledger.SetSelf(self)
	plan := g.ledger.Round(connected, now)
	g.announce(plan)
	for _, c := range plan.Dial {
		g.startDial(ctx, c)
	}
	for _, c := range plan.Drop {
		g.startDrop(ctx, c)
	}
	g.s.notifyStatus()
	if !plan.Next.IsZero() {
		pause = min(pause, plan.Next.Sub(now))
	}
	return pause
}

var errListing = errors.New("the last call for the list has not returned yet")

// connected asks the connector who is connected.
func (g *group) connected(ctx context.Context) ([]peer.Peer, error) {
	g.s.mu.Lock()
	listing := g.listing
	g.s.mu.Unlock()
	if listing {
		return nil, errListing
	}
	connected, err := call(g.s, ctx, listTimeout, "list of "+g.name, g.list)
	var late *errOverdue
	if errors.As(err, &late) {
		g.s.mu.Lock()
		g.listing = true
		g.s.mu.Unlock()
		g.s.tasks.start("late list of "+g.name, func() {
			<-late.done
			g.s.mu.Lock()
			g.listing = false
			g.s.mu.Unlock()
			g.wakeUp()
		})
	}
	return connected, err
}

// ownAddresses returns every address under which this node may find itself in an answer.
func (g *group) ownAddresses() []peer.Peer {
	var self []peer.Peer
	err := guard(func() error { self = g.s.self(g.base); return nil })
	if err != nil {
		g.s.log.Error("connector cannot report this node's addresses", append([]any{"connector", g.name}, errorArgs(err)...)...)
	}
	return expandSelf(self)
}

// noteList records whether the list could be had. A connector that has only just started may
// need a moment. mu is held.
func (g *group) noteList(err error) {
	now := time.Now()
	g.listErr = err
	if err == nil {
		if g.warned {
			g.s.log.Info("connector lists its peers again", "connector", g.name)
		}
		g.failing, g.listed, g.warned = time.Time{}, true, false
		return
	}
	if g.failing.IsZero() {
		g.failing = now
	}
	if !g.warned && (g.listed || now.Sub(g.failing) >= startGrace) {
		g.warned = true
		g.s.log.Warn("connector cannot list its peers; nothing is dialled or dropped", "connector", g.name, "error", err)
	}
}

// retryList returns when to ask again for a list that cannot be had: every second while the
// connector starts. mu is held.
func (g *group) retryList() time.Duration {
	if g.listed || time.Since(g.failing) > time.Minute {
		return reconcile.Interval
	}
	return time.Second
}

// announce publishes and logs what a round found. mu is held.
func (g *group) announce(plan reconcile.Plan) {
	for _, list := range []struct {
		calls []reconcile.Call
		kind  *noticeKind
		event EventKind
		err   error
	}{
		{plan.Up, noteConnected, PeerConnected, nil},
		{plan.Down, noteLost, PeerLost, nil},
		{plan.Dropped, noteDropped, PeerDropped, nil},
		{plan.Unlisted, noteUnlisted, PeerUnlisted, reconcile.ErrUnlisted},
		{plan.Forgotten, noteForgotten, PeerForgotten, nil},
	} {
		for _, c := range list.calls {
			g.note(list.kind, list.event, c, list.err)
		}
	}
}

// note publishes an event of a peer and notes it for the log. mu is held.
func (g *group) note(kind *noticeKind, event EventKind, c reconcile.Call, err error) {
	g.s.note(kind, c.Topology, c.Peer, err)
	g.s.emit(Event{Kind: event, Topology: c.Topology, Connector: g.name, Peer: c.Peer, Err: err})
}

func jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

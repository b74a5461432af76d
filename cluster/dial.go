package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/goconvoke/convoke/cluster/internal/reconcile"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/peer"
)

// startDial dials a peer on behalf of the topology that wants it. mu is held.
func (g *group) startDial(ctx context.Context, c reconcile.Call) {
	t := g.s.topologies[c.Topology]
	if t == nil { // removed this moment: the next round knows
		g.ledger.Dialed(c.Peer.Addr, context.Canceled, time.Now())
		return
	}
	connect := t.connect()
	g.s.tasks.start("dial of "+c.Peer.String(), func() { g.dial(ctx, c, connect) })
}

func (g *group) dial(ctx context.Context, c reconcile.Call, connect connector.ConnectFunc) {
	_, err := call(g.s, ctx, dialTimeout, "connect "+c.Peer.String(), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, connect(ctx, c.Peer)
	})
	var deaf *errDeaf
	if errors.As(err, &deaf) {
		g.s.mu.Lock()
		g.ledger.Overdue(c.Peer.Addr, err)
		g.s.mu.Unlock()
		g.s.log.Warn("connect is deaf to its deadline", "topology", c.Topology, "peer", c.Peer, "elapsed", dialTimeout)
		g.wakeUp()
		<-deaf.done
	}
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	var o reconcile.Outcome
	if deaf != nil {
		o = g.ledger.Returned(c.Peer.Addr, err, time.Now())
	} else {
		o = g.ledger.Dialed(c.Peer.Addr, err, time.Now())
	}
	if ctx.Err() == nil {
		g.report(c, err, o)
	}
	g.wakeUp()
}

// report tells of a dial that failed, once in a while. mu is held.
func (g *group) report(c reconcile.Call, err error, o reconcile.Outcome) {
	args := []any{"topology", c.Topology, "peer", c.Peer, "error", err}
	var p *panicError
	if errors.As(err, &p) {
		args = append(args, "stack", p.stack)
	}
	switch {
	case o.Self:
		g.s.log.Debug("an address is this node's own", args...)
	case o.Foreign:
		g.s.log.Warn("peer belongs to another cluster", args...)
		g.s.emit(Event{Kind: PeerForeign, Topology: c.Topology, Connector: g.name, Peer: c.Peer, Err: err})
	case o.Report && !errors.Is(err, connector.ErrForeign):
		g.s.log.Warn("peer cannot be reached; it is dialled again", args...)
		g.s.emit(Event{Kind: DialFailed, Topology: c.Topology, Connector: g.name, Peer: c.Peer, Err: err})
	}
}

// startDrop disconnects a peer on behalf of the topology that wanted it. mu is held.
func (g *group) startDrop(ctx context.Context, c reconcile.Call) {
	var disconnect connector.DisconnectFunc
	if t := g.s.topologies[c.Topology]; t != nil {
		disconnect = t.disconnect()
	} else if g.base != nil { // of a topology that was removed
		disconnect = g.base.Disconnect
	} else {
		disconnect = connector.Funcs{}.Disconnect
	}
	g.s.tasks.start("drop of "+c.Peer.String(), func() { g.drop(ctx, c, disconnect) })
}

func (g *group) drop(ctx context.Context, c reconcile.Call, disconnect func(context.Context, peer.Peer) error) {
	_, err := call(g.s, ctx, dialTimeout, "disconnect "+c.Peer.String(), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, disconnect(ctx, c.Peer)
	})
	var deaf *errDeaf
	if errors.As(err, &deaf) {
		g.s.log.Warn("disconnect is deaf to its deadline", "topology", c.Topology, "peer", c.Peer, "elapsed", dialTimeout)
		<-deaf.done
	}
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	g.ledger.Dropped(c.Peer.Addr, err, time.Now())
	switch {
	case ctx.Err() != nil:
	case err != nil:
		g.s.log.Warn("peer could not be disconnected; it is tried again", "topology", c.Topology, "peer", c.Peer, "error", err)
	default:
		g.s.log.Info("peer disconnected, because it is no longer found", "topology", c.Topology, "peer", c.Peer)
		g.s.emit(Event{Kind: PeerDropped, Topology: c.Topology, Connector: g.name, Peer: c.Peer})
	}
	g.wakeUp()
}

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
	var late *errOverdue
	if errors.As(err, &late) {
		g.s.mu.Lock()
		g.ledger.Overdue(c.Peer.Addr, err)
		g.s.note(noteOverdue, c.Topology, c.Peer, err)
		g.s.mu.Unlock()
		g.wakeUp()
		<-late.done
	}
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	var o reconcile.Outcome
	if late != nil {
		o = g.ledger.Returned(c.Peer.Addr, err, time.Now())
	} else {
		o = g.ledger.Dialed(c.Peer.Addr, err, time.Now())
	}
	if ctx.Err() == nil {
		g.report(c, err, o)
	}
	g.wakeUp()
}

// report publishes and logs a dial that failed, once in a while. mu is held.
func (g *group) report(c reconcile.Call, err error, o reconcile.Outcome) {
	switch {
	case o.Self:
		g.s.log.Debug("an address is this node's own", "topology", c.Topology, "peer", c.Peer)
	case o.Foreign && errors.Is(err, connector.ErrUntrusted):
		g.note(noteUntrusted, PeerUntrusted, c, err)
	case o.Foreign:
		g.note(noteForeign, PeerForeign, c, err)
	case o.Report && !errors.Is(err, connector.ErrForeign) && !errors.Is(err, connector.ErrUntrusted):
		g.note(noteUnreachable, DialFailed, c, err)
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
	var late *errOverdue
	if errors.As(err, &late) {
		g.s.mu.Lock()
		g.s.note(noteOverdue, c.Topology, c.Peer, err)
		g.s.mu.Unlock()
		<-late.done
	}
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	if o := g.ledger.Dropped(c.Peer.Addr, err, time.Now()); o.Report && ctx.Err() == nil {
		g.note(noteStays, DisconnectFailed, c, o.Err)
	}
	g.wakeUp()
}

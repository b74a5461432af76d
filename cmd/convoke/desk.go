package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/peer"
)

// desk answers the commands that ask a running agent.
type desk struct {
	config  *cluster.Config
	kind    string // of the connector
	carrier carrier

	leave   chan struct{} // closed when the agent is to leave
	leaving sync.Once
	ended   chan struct{} // closed when the node has ended
}

func newDesk(config *cluster.Config, kind string, c carrier) *desk {
	return &desk{config: config, kind: kind, carrier: c, leave: make(chan struct{}), ended: make(chan struct{})}
}

// send gives the client one reply.
type send func(v any) error

// ops are what a client can ask for. Those of keys and of the shared map need the gossip core.
var ops = map[string]func(d *desk, ctx context.Context, r admin.Request, out send) error{
	"members":       (*desk).members,
	"status":        (*desk).status,
	"join":          (*desk).join,
	"leave":         (*desk).leaves,
	"remove":        onNode(removeMember),
	"keys get":      ofSelf(onNode(keysGet)),
	"keys set":      ofSelf(onNode(keysSet)),
	"keys delete":   ofSelf(onNode(keysDelete)),
	"keys list":     onNode(keysList),
	"keys watch":    onNode(keysWatch),
	"shared get":    onNode(sharedGet),
	"shared set":    onNode(sharedSet),
	"shared delete": onNode(sharedDelete),
	"shared update": onNode(sharedUpdate),
	"shared list":   onNode(sharedList),
	"shared watch":  onNode(sharedWatch),
	"shared sync":   onNode(sharedSync),
}

// answer is the handler of the admin socket.
func (d *desk) answer(ctx context.Context, r admin.Request, reply func(v any) error) error {
	op, found := ops[r.Op]
	if !found {
		return fmt.Errorf("this agent does not know %q; it may be older than the command", r.Op)
	}
	if r.Op != "leave" { // what does not run can leave, too
		if err := d.running(ctx); err != nil {
			return err
		}
	}
	return op(d, ctx, r, reply)
}

// onNode has an answer come from the running node of the gossip core.
func onNode(do func(ctx context.Context, n *gossip.Node, r admin.Request, out send) error) func(*desk, context.Context, admin.Request, send) error {
	return func(d *desk, ctx context.Context, r admin.Request, out send) error {
		n := d.node()
		switch {
		case n == nil && d.kind == "gossip":
			return gossip.ErrStopped // just now
		case n == nil:
			return fmt.Errorf("%s needs the connector gossip, but this agent runs %s: change connector in its file", r.Op, d.kind)
		}
		return do(ctx, n, r, out)
	}
}

// startPatience is how long a request waits for a node that has only just been started.
const startPatience = 2 * time.Second

// running returns when the connector takes part, or why it does not.
func (d *desk) running(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(startPatience)
	for {
		_, err := d.carrier.List(ctx)
		if err == nil || errors.Is(err, gossip.ErrConflict) || errors.Is(err, gossip.ErrRemoved) {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("the node does not run: %w", err)
		case <-d.leave:
			return errors.New("the node is leaving")
		case <-ctx.Done():
			return err
		}
	}
}

// node returns the running node, nil if the connector is another.
func (d *desk) node() *gossip.Node {
	if c, ok := d.carrier.(interface{ Node() *gossip.Node }); ok {
		return c.Node()
	}
	return nil
}

// join calls nodes, and reports on each.
func (d *desk) join(ctx context.Context, r admin.Request, out send) error {
	for _, addr := range r.Addrs {
		j := joined{Addr: addr}
		if err := d.carrier.Connect(ctx, peer.Peer{Addr: addr}); err != nil {
			j.Error = err.Error()
		}
		if err := out(j); err != nil {
			return err
		}
	}
	return nil
}

// joined is how a call of a node went.
type joined struct {
	Addr  string `json:"addr"`
	Error string `json:"error,omitzero"`
}

// leaves ends the agent as a signal would, and answers when the node has ended.
func (d *desk) leaves(ctx context.Context, _ admin.Request, _ send) error {
	d.leaving.Do(func() { close(d.leave) })
	select {
	case <-d.ended:
	case <-ctx.Done():
	}
	return nil
}

func removeMember(ctx context.Context, n *gossip.Node, r admin.Request, _ send) error {
	return n.Remove(ctx, r.Member)
}

package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/peer"
)

// send gives the client one reply.
type send func(v any) error

// operation answers one request of a client.
type operation func(n *Node, ctx context.Context, r admin.Request, out send) error

// operations are what a client can ask for. Those of keys and of the shared map need the gossip core, those of
// leaders, holders and the linearizable map the section quorum.
var operations = map[string]operation{
	"members":       (*Node).sendMembers,
	"status":        (*Node).sendStatus,
	"join":          (*Node).joinByHand,
	"leave":         (*Node).leaveByHand,
	"remove":        onGossip(removeMember),
	"keys get":      ofSelf(onGossip(keysGet)),
	"keys set":      ofSelf(onGossip(keysSet)),
	"keys delete":   ofSelf(onGossip(keysDelete)),
	"keys list":     onGossip(keysList),
	"keys watch":    onGossip(keysWatch),
	"shared get":    onGossip(sharedGet),
	"shared set":    onGossip(sharedSet),
	"shared delete": onGossip(sharedDelete),
	"shared update": onGossip(sharedUpdate),
	"shared list":   onGossip(sharedList),
	"shared watch":  onGossip(sharedWatch),
	"shared sync":   onGossip(sharedSync),

	"quorum status":   (*Node).sendQuorum,
	"quorum transfer": onQuorum(transferQuorum),
	"quorum recover":  onQuorum(recoverQuorum),
	"shards list":     (*Node).sendGroups,
	"shards status":   (*Node).sendShards,
	"shards drain":    ofSelf(onQuorum(drainShards)),
	"shards move":     onQuorum(moveShard),
	"shards pin":      onQuorum(pinShard),
	"shards unpin":    onQuorum(unpinShard),
	"elect":           (*Node).elect,
	"map get":         onQuorum(mapGet),
	"map set":         onQuorum(mapSet),
	"map update":      onQuorum(mapUpdate),
	"map delete":      onQuorum(mapDelete),
	"map watch":       onQuorum(mapWatch),
}

// handleAdmin is the handler of the admin socket.
func (n *Node) handleAdmin(ctx context.Context, r admin.Request, reply func(v any) error) error {
	do, found := operations[r.Op]
	switch {
	case !found:
		return fmt.Errorf("this agent does not support %q; it may be older than the command", r.Op)
	case r.Node != "" && r.Node != n.config.Node.Name:
		return fmt.Errorf("this agent is the node %q, not %q", n.config.Node.Name, r.Node)
	}
	if r.Op != "leave" && r.Op != "status" { // a node that does not list its peers can leave, and report why it does not
		if err := n.awaitRunning(ctx); err != nil {
			return err
		}
	}
	return do(n, ctx, r, reply)
}

// onGossip passes a request to the node of the gossip core.
func onGossip(do func(ctx context.Context, g *gossip.Node, r admin.Request, out send) error) operation {
	return func(n *Node, ctx context.Context, r admin.Request, out send) error {
		g := n.Gossip()
		if g == nil {
			return fmt.Errorf("%s needs the connector gossip, but this agent runs %s: change connector in its file", r.Op, n.kind)
		}
		return do(ctx, g, r, out)
	}
}

// ofSelf lets a request that names no member be about this node.
func ofSelf(do operation) operation {
	return func(n *Node, ctx context.Context, r admin.Request, out send) error {
		r.Member = cmp.Or(r.Member, n.config.Node.Name)
		return do(n, ctx, r, out)
	}
}

// startPatience is how long a request waits for a node that has only just been started.
const startPatience = 2 * time.Second

// awaitRunning returns when the connector takes part, or why it does not.
func (n *Node) awaitRunning(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(startPatience)
	for {
		_, err := n.connector.List(ctx)
		if err == nil || errors.Is(err, gossip.ErrConflict) || errors.Is(err, gossip.ErrRemoved) {
			return err
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("the node does not run: %w", err)
		case <-n.leave:
			return errors.New("the node is leaving")
		case <-ctx.Done():
			return err
		}
	}
}

// joinByHand calls nodes, and reports on each.
func (n *Node) joinByHand(ctx context.Context, r admin.Request, out send) error {
	for _, addr := range r.Addrs {
		j := admin.Joined{Addr: addr}
		if err := n.connector.Connect(ctx, peer.Peer{Addr: addr}); err != nil {
			j.Error = err.Error()
		}
		if err := out(j); err != nil {
			return err
		}
	}
	return nil
}

// leaveByHand ends the node as a signal would, and answers when it has ended.
func (n *Node) leaveByHand(ctx context.Context, _ admin.Request, _ send) error {
	n.leaving.Do(func() { close(n.leave) })
	select {
	case <-n.ended:
	case <-ctx.Done():
	}
	return nil
}

func removeMember(ctx context.Context, g *gossip.Node, r admin.Request, _ send) error {
	return g.Remove(ctx, r.Member)
}

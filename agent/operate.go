package agent

import (
	"context"
	"net/http"

	"github.com/goconvoke/convoke/ops"
	"github.com/goconvoke/convoke/ops/page"
)

// newAPI returns what the admin socket and the section http serve.
func (n *Node) newAPI(mounts []ops.Mount) (*ops.API, error) {
	mounts = append(page.Mounts(func() page.Source { return n.api }), mounts...)
	c := ops.Config{
		Node: n.config.Node, Supervisor: n.supervisor, Connector: n.connector, Kind: n.kind, Gossip: n.Gossip, Shards: groupSource{n},
		Leaving: n.isLeaving, Leave: n.leaveAndWait, HTTP: n.HTTP, Mounts: mounts, Log: n.log.Named("http"),
	}
	if n.quorum != nil {
		c.Quorum = operator{n}
	}
	if len(n.config.Groups) > 0 {
		c.RingGroup = n.config.Groups[0].Name
	}
	return ops.New(c)
}

// API returns what an operator can ask of the node: the status document, members, links, events.
func (n *Node) API() *ops.API { return n.api }

// Handler returns the page of the node at its root, and its API for reading alone: probes (/livez, /readyz), the status document and the rest below /api/v1, and /status
// and /partitions in the shape of ring-election. Nothing can be changed over it, no values of keys are shown, and no answer is meant for pages
// of other sites; but whoever reaches it sees the names and addresses of the members. GET /livez is 200 while the loops of the node turn: a process that
// fails it should be restarted. GET /readyz is 200 while the node takes part, whoever else is there; /readyz?formed is, from the
// moment when the expected nodes were together once until the node ends, so that a rollout or the restart of another node changes nothing.
func (n *Node) Handler() http.Handler { return n.api.Handler(ops.Always(ops.Read)) }

// isLeaving reports whether the node leaves, or has ended.
func (n *Node) isLeaving() bool {
	select {
	case <-n.over:
		return true
	default:
		return false
	}
}

// leaveAndWait ends the node as a signal would, and returns when it has ended.
func (n *Node) leaveAndWait(ctx context.Context) error {
	n.leaving.Do(func() { close(n.leave) })
	select {
	case <-n.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

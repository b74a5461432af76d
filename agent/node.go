package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/cluster"
	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/internal/admin"
	"github.com/goconvoke/convoke/internal/pacedlog"
	"github.com/goconvoke/convoke/ops"
)

// Node is a node that runs, from [Start] to [Node.Stop]. Its methods are safe for concurrent use.
type Node struct {
	file        string
	config      *cluster.Config
	log         hclog.Logger
	lines       *pacedlog.Log // what log goes through
	socket      string        // as asked for
	stopTimeout time.Duration

	supervisor *cluster.Supervisor
	quorum     *quorumPart         // nil without a section quorum
	web        *webServer          // nil without a section http
	connector  connector.Connector // that of node.listen, or of the first topology
	kind       string              // of connector
	api        *ops.API
	server     *admin.Server   // nil if there is none
	unpublish  func()          // takes away what commands find the socket by
	over       <-chan struct{} // closed when the node begins to leave
	cancel     context.CancelCauseFunc

	leaving sync.Once
	leave   chan struct{} // closed when a command has the node leave
	ended   chan struct{} // closed when the supervisor has stopped
	done    chan struct{} // closed when everything has ended
	err     error         // why the node ended by itself, or had ended before it was stopped; read after done

	conflict error // another process has the name; owned by watchConnectors
}

// runSupervisor runs the supervisor until ctx is done, a command has the node leave, or it is removed from its cluster.
func (n *Node) runSupervisor(ctx context.Context) {
	defer close(n.done)
	defer n.lines.Close()
	var wg sync.WaitGroup
	wg.Go(func() { n.watchConnectors(ctx) })
	wg.Go(func() { n.publishHTTP(ctx) })
	wg.Go(func() {
		select {
		case <-n.leave:
			n.cancel(nil)
		case <-ctx.Done():
		}
	})
	member, leave := context.WithCancelCause(context.WithoutCancel(ctx))
	defer leave(nil)
	wg.Go(func() { // the quorum is left before the cluster
		if n.quorum != nil {
			n.quorum.run(ctx, n.nextGossip)
		}
		<-ctx.Done()
		leave(context.Cause(ctx))
	})
	wg.Go(func() { n.api.Run(context.WithoutCancel(ctx)) }) // until the supervisor ends
	if n.web != nil {
		n.web.start(n.api)
		defer n.web.stop()
	}
	err := n.supervisor.Run(member)
	failed := ctx.Err() == nil
	n.cancel(nil)
	wg.Wait()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, gossip.ErrRemoved):
		n.err = fmt.Errorf("%s: %q was removed from the cluster %q and has stopped; it comes back when it is started to rejoin: %w",
			n.file, n.config.Node.Name, n.config.Node.Cluster, cause)
	case failed:
		n.err = err
	case n.conflict != nil:
		n.err = fmt.Errorf("%s: this node was not a member of the cluster %q when it was stopped: %w", n.file, n.config.Node.Cluster, n.conflict)
	}
	close(n.ended)
	if n.server != nil {
		n.unpublish()
		n.server.Close()
	}
}

// nextGossip waits for a node of the gossip core that runs and is another one than last. It returns nil when ctx or the supervisor ends.
func (n *Node) nextGossip(ctx context.Context, last *gossip.Node) *gossip.Node {
	for range n.supervisor.Watch(ctx) {
		if g := n.Gossip(); ctx.Err() == nil && g != nil && g != last && g.Err() == nil {
			return g
		}
	}
	return nil
}

// watchConnectors ends the node when its connector reports that it was removed from its cluster, and notes whether another process has
// its name.
func (n *Node) watchConnectors(ctx context.Context) {
	for status := range n.supervisor.Watch(ctx) {
		n.conflict = nil
		for _, c := range status.Connectors {
			if errors.Is(c.Err, gossip.ErrConflict) {
				n.conflict = c.Err
			}
			if errors.Is(c.Err, gossip.ErrRemoved) {
				n.cancel(gossip.ErrRemoved)
				return
			}
		}
	}
}

// Stop has the node leave its cluster, and waits for everything that Start started, for Options.StopTimeout at most: what has not ended
// by then is logged and left behind. It may be called more than once.
func (n *Node) Stop() {
	n.cancel(nil)
	late := time.NewTimer(n.stopTimeout)
	defer late.Stop()
	select {
	case <-n.done:
	case <-late.C:
		n.log.Error("the node did not stop in time and is left behind", "elapsed", n.stopTimeout)
		n.lines.Close()
	}
}

// Done is closed when the node has ended, by itself too. Then Err returns why.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err returns nil while the node runs, and after Stop, the end of Start's context, or the command `convoke leave`. Else it returns why
// the node ended by itself: an error that wraps gossip.ErrRemoved if it was removed from its cluster. If another process had its name when it
// was stopped, the error is a gossip.ConflictError: the node was not a member any more.
func (n *Node) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}

// Formed waits until all topologies were whole once: the connector lists its peers, and the expected nodes were together. It stays so
// when another node restarts, until this one ends. Whether a quorum has a leader plays no part. The error names what is missing.
func (n *Node) Formed(ctx context.Context) error {
	if err := n.supervisor.Formed(ctx); err != nil {
		return err
	}
	return n.quorum.awaitOpen(ctx, n.done)
}

// Live returns nil while the loops of the node turn, whoever is connected.
func (n *Node) Live() error { return n.supervisor.Live() }

// Whole returns nil while all topologies are whole: for alerts, not for probes.
func (n *Node) Whole() error { return n.supervisor.Whole() }

// Supervisor returns what runs the topologies: for events, status and other topologies.
func (n *Node) Supervisor() *cluster.Supervisor { return n.supervisor }

// Config returns the node as it was started: the file's, with what Options replaced. Its keys are never printed.
func (n *Node) Config() connector.NodeConfig { return n.config.Node }

// Connector returns the connector that the file names; with several, the one that listens.
func (n *Node) Connector() connector.Connector { return n.connector }

// Gossip returns the node of the gossip core: its keys, the shared map, its view. It is nil with another connector, and until the node
// listens; it is not nil any longer once Formed has returned nil.
func (n *Node) Gossip() *gossip.Node {
	if c, ok := n.connector.(interface{ Node() *gossip.Node }); ok {
		return c.Node()
	}
	return nil
}

// Socket returns the path of the admin socket, "" if there is none.
func (n *Node) Socket() string {
	if n.server == nil {
		return ""
	}
	return n.server.Path()
}

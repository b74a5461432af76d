// Package gossip connects peers through convoke's own membership core: discovery feeds it for life, and one contact
// is enough, since members spread by gossip.
package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/gossip"
	"github.com/goconvoke/convoke/gossip/transport"
	"github.com/goconvoke/convoke/peer"
)

// Connector is a [connector.Connector] on a [gossip.Node]. Its methods may be called in any order and at once; while
// no node runs they return errors.
type Connector struct {
	config  gossip.Config
	node    connector.NodeConfig // that config was made from
	log     hclog.Logger
	psk     *transport.PSK // nil without pre-shared keys
	changes chan struct{}
	notices chan connector.Notice

	mu      sync.Mutex
	running *gossip.Node // nil while none runs
	last    *gossip.Node // the one that runs, or ran last
	state   State
}

var (
	_ connector.Connector    = (*Connector)(nil)
	_ connector.Runner       = (*Connector)(nil)
	_ connector.Notifier     = (*Connector)(nil)
	_ connector.Leaver       = (*Connector)(nil)
	_ connector.Gossiper     = (*Connector)(nil)
	_ connector.SelfReporter = (*Connector)(nil)
	_ connector.LeftLister   = (*Connector)(nil)
	_ connector.Configured   = (*Connector)(nil)
	_ connector.Reloader     = (*Connector)(nil)
	_ connector.NoticeSource = (*Connector)(nil)

	_ connector.RemovedLister = (*Connector)(nil)
)

var errNotRunning = errors.New("gossip: not running: Run was not called or has ended")

func newConnector(c gossip.Config) (*Connector, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return &Connector{
		config: c, log: c.Log, changes: make(chan struct{}, 1), notices: make(chan connector.Notice, maxNotices),
		state: State{Phase: PhaseStopped, Err: errNotRunning, Since: time.Now()},
	}, nil
}

func (c *Connector) notify() {
	select {
	case c.changes <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// current returns the node, or why there is none.
func (c *Connector) current() (*gossip.Node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return nil, c.state.Err
	}
	return c.running, c.running.Err()
}

// Connect calls a peer. It returns nil when a node of this cluster answered; the node then links to it, or to those it
// is linked to.
func (c *Connector) Connect(ctx context.Context, p peer.Peer) error {
	n, err := c.current()
	if err != nil {
		return err
	}
	err = n.Join(ctx, p.Addr)
	switch {
	case errors.Is(err, gossip.ErrSelf):
		return fmt.Errorf("%s: %w", p.Addr, connector.ErrSelf)
	case errors.Is(err, transport.ErrUntrusted):
		return fmt.Errorf("%w: %w", connector.ErrUntrusted, err)
	case errors.Is(err, gossip.ErrForeign):
		return fmt.Errorf("%w: %w", connector.ErrForeign, err)
	}
	return err
}

// Disconnect does nothing: membership is decided by the members alone.
func (c *Connector) Disconnect(context.Context, peer.Peer) error { return nil }

// List returns the members that are up, without this node.
func (c *Connector) List(ctx context.Context) ([]peer.Peer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	n, err := c.current()
	if err != nil {
		return nil, err
	}
	return c.peers(n, (*gossip.Member).Up), nil
}

// ListLeft returns the members that have left, until they are forgotten.
func (c *Connector) ListLeft() []peer.Peer {
	n, err := c.current()
	if err != nil {
		return nil
	}
	return c.peers(n, func(m *gossip.Member) bool { return m.Status == gossip.Left })
}

// ListRemoved returns the names of the members that were removed, until the cluster no longer remembers that.
func (c *Connector) ListRemoved() []string {
	n, err := c.current()
	if err != nil {
		return nil
	}
	return n.Removed()
}

// peers returns the members of a kind, without this node.
func (c *Connector) peers(n *gossip.Node, is func(*gossip.Member) bool) []peer.Peer {
	var all []peer.Peer
	for m := range n.View().All() {
		if m.Name == c.config.Name || !is(m) {
			continue
		}
		if addr, err := peer.Addr(m.Addr); err == nil { // what a member publishes may be anything
			all = append(all, peer.Peer{Addr: addr, ID: m.Name, Zone: m.Zone, Version: m.Version})
		}
	}
	return all
}

// Changes wakes the reader when a member came, went or changed.
func (c *Connector) Changes() <-chan struct{} { return c.changes }

// Gossips returns true: members learn of each other without us.
func (c *Connector) Gossips() bool { return true }

// Leave announces to all members that this node leaves, and ends it; Run must be called again to return.
func (c *Connector) Leave(ctx context.Context) error {
	n, err := c.current()
	if err != nil {
		return nil // it does not run, so no member lists it
	}
	return n.Leave(ctx)
}

// Self returns the advertised address, and the one listened on if that is another; nothing while no node runs.
func (c *Connector) Self() []peer.Peer {
	n, err := c.current()
	self := peer.Peer{ID: c.config.Name}
	if err != nil {
		return nil
	}
	self.Addr = n.Addr()
	all := []peer.Peer{self}
	if bound := n.Bound(); bound != self.Addr {
		all = append(all, peer.Peer{ID: c.config.Name, Addr: bound})
	}
	return all
}

// NodeConfig returns the node that this connector was made for, with the keys of the last Reload.
func (c *Connector) NodeConfig() connector.NodeConfig {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.node
}

// Notices reports what happens to this node itself. What the reader is too slow for is dropped.
func (c *Connector) Notices() <-chan connector.Notice { return c.notices }

func (c *Connector) report(n connector.Notice) {
	select {
	case c.notices <- n:
	default:
	}
}

// Node returns what runs underneath, or ran last: then its methods return errors. It is nil until the first one listens. Keys, views
// and the shared map are there.
func (c *Connector) Node() *gossip.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

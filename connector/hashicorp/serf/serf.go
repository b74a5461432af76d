// Package serf connects peers through hashicorp/serf: one contact is enough, the rest of the
// cluster is learnt by gossip. What it adds to serf is described in the README.
package serf

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/serf/serf"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

// Profile is how patient a cluster is: how often nodes are probed and how long one may be
// silent. All nodes of a cluster use the same.
type Profile string

// The profiles are memberlist's own, which serf runs on.
const (
	LAN   Profile = "lan"   // one data centre: a dead node is noticed after some 5 s
	WAN   Profile = "wan"   // between data centres: some 30 s
	Local Profile = "local" // one machine: some 3 s
)

// Kind is the connector with the profile [LAN].
var Kind = Options{}.Kind()

// Options are what a program can set and a file cannot.
type Options struct {
	// Tags are what other nodes get of this one. Together with the tag of the cluster ID they take at most
	// 512 bytes encoded: two or three more per tag than their text has.
	Tags map[string]string
	// Profile is LAN if empty.
	Profile Profile
}

// Kind returns the connector with these options. Its New returns a [*Connector].
func (o Options) Kind() connector.Kind {
	return connector.Kind{
		Name:    "serf",
		Doc:     "hashicorp/serf: memberlist with tags, events and queries",
		Listens: true,
		Check: func(n connector.NodeConfig) error {
			_, err := newConnector(config{NodeConfig: n, Options: o})
			return err
		},
		New: func(n connector.NodeConfig, env connector.Env) (connector.Connector, error) {
			if err := errors.Join(n.Validate(), mlnet.CheckEnv("serf", env)); err != nil {
				return nil, err
			}
			return newConnector(config{NodeConfig: n, Options: o, log: env.Log})
		},
	}
}

// config is all that a connector is made from.
type config struct {
	connector.NodeConfig
	Options
	log hclog.Logger
}

// Connector is a [connector.Connector] on hashicorp/serf. Its methods may be called in any order and at
// once; while Run does not hold a listener they return errors.
type Connector struct {
	node   *mlnet.Node
	config config
	tune   func(*serf.Config) // tests make it faster; may be nil
}

var (
	_ connector.Connector    = (*Connector)(nil)
	_ connector.Runner       = (*Connector)(nil)
	_ connector.Notifier     = (*Connector)(nil)
	_ connector.Leaver       = (*Connector)(nil)
	_ connector.Gossiper     = (*Connector)(nil)
	_ connector.SelfReporter = (*Connector)(nil)
	_ connector.Configured   = (*Connector)(nil)
	_ connector.LeftLister   = (*Connector)(nil)
)

// newConnector returns an error for each mistake, placed in the file where it has a place.
func newConnector(c config) (*Connector, error) {
	c.Tags = maps.Clone(c.Tags)
	conn := &Connector{config: c}
	node, err := mlnet.New(mlnet.Config{Kind: "serf", Node: c.NodeConfig, Log: c.log, Start: conn.createCluster})
	if err := errors.Join(err, checkTags(c.Tags, c.Cluster), c.checkProfile()); err != nil {
		return nil, err
	}
	conn.node = node
	return conn, nil
}

func (o Options) checkProfile() error {
	switch o.Profile {
	case "", LAN, WAN, Local:
		return nil
	}
	return fmt.Errorf("unknown profile %q (known: %s, %s, %s)", o.Profile, LAN, WAN, Local)
}

// Run listens and takes part until ctx is done. When it cannot listen it logs that once and tries again, after
// 1 s doubling to 30 s, for ever. It returns when the listeners and all goroutines of this connector have
// ended. serf's own are asked to end and cannot be awaited: they follow within the probe timeout, and one that forgets a member
// which was removed by force within 4 s. A serf that was shut down through [Connector.Serf] ends Run with an error.
func (c *Connector) Run(ctx context.Context) error { return c.node.Run(ctx) }

// Connect joins the cluster of a peer. A name is resolved here and those of its addresses that are
// no members yet are tried in order until one answers: behind a name that stands for many nodes
// may be the other half of a split. The error names each. It returns [connector.ErrSelf] when all
// of them are our own, and [connector.ErrForeign] when the node belongs to another cluster. User events
// from before the join are not replayed.
func (c *Connector) Connect(ctx context.Context, p peer.Peer) error { return c.node.Connect(ctx, p) }

// Disconnect does nothing: membership is decided by the members alone.
func (c *Connector) Disconnect(context.Context, peer.Peer) error { return nil }

// List returns the living members without this node. One that failed or is leaving is not listed.
func (c *Connector) List(ctx context.Context) ([]peer.Peer, error) { return c.node.List(ctx) }

// Leave announces to the members that this node leaves on purpose, and returns when the announcement was sent, some 1 to 2 s
// later, or ctx is done. serf cannot be stopped while it leaves, so a Run that is cancelled meanwhile waits for it: at most 7 s.
// Until Run is called again the other methods return errors.
func (c *Connector) Leave(ctx context.Context) error { return c.node.Leave(ctx) }

// NodeConfig returns the node that this connector was made for.
func (c *Connector) NodeConfig() connector.NodeConfig { return c.config.NodeConfig }

// Changes wakes the reader when a member came or went.
func (c *Connector) Changes() <-chan struct{} { return c.node.Changes() }

// Gossips returns true: members learn of each other without us.
func (c *Connector) Gossips() bool { return true }

// Self returns the advertised address and, with a listener on all interfaces, that too. Before the listener is
// bound it returns the address of the configuration.
func (c *Connector) Self() []peer.Peer { return c.node.Self() }

// ListLeft returns the members that have left, until serf forgets them after a day.
func (c *Connector) ListLeft() []peer.Peer {
	if u, ok := c.node.Cluster().(*underneath); ok {
		return u.listLeft()
	}
	return nil
}

// Serf returns what runs underneath, nil while nothing is bound: for tags, user events, queries, removing a failed
// node. It must not be shut down or left through it.
func (c *Connector) Serf() *serf.Serf {
	if u, ok := c.node.Cluster().(*underneath); ok {
		return u.serf
	}
	return nil
}

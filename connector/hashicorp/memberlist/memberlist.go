// Package memberlist connects peers through hashicorp/memberlist: one contact is enough, the
// rest of the cluster is learnt by gossip. What it adds to memberlist is described in the README.
package memberlist

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/connector/hashicorp/internal/mlnet"
	"github.com/goconvoke/convoke/peer"
)

// Profile is how patient a cluster is: how often nodes are probed and how long one may be
// silent. All nodes of a cluster use the same.
type Profile string

// The profiles are memberlist's own.
const (
	LAN   Profile = "lan"   // one data centre: a dead node is noticed after some 5 s
	WAN   Profile = "wan"   // between data centres: some 30 s
	Local Profile = "local" // one machine: some 3 s
)

// Kind is the connector with the profile [LAN].
var Kind = Options{}.Kind()

// Options are what a program can set and a file cannot.
type Options struct {
	// Profile is LAN if empty.
	Profile Profile
}

// Kind returns the connector with these options. Its New returns a [*Connector].
func (o Options) Kind() connector.Kind {
	return connector.Kind{
		Name:    "memberlist",
		Doc:     "hashicorp/memberlist: gossip over UDP; it cannot heal a partition by itself",
		Listens: true,
		Check: func(n connector.NodeConfig) error {
			_, err := newConnector(config{NodeConfig: n, Options: o})
			return err
		},
		New: func(n connector.NodeConfig, env connector.Env) (connector.Connector, error) {
			if err := errors.Join(n.Validate(), mlnet.CheckEnv("memberlist", env)); err != nil {
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

// Connector is a [connector.Connector] on hashicorp/memberlist. Its methods may be called in any order and at
// once; while Run does not hold a listener they return errors.
type Connector struct {
	node   *mlnet.Node
	config config
	tune   func(*memberlist.Config) // tests make the profile faster; may be nil
}

var (
	_ connector.Connector    = (*Connector)(nil)
	_ connector.Runner       = (*Connector)(nil)
	_ connector.Notifier     = (*Connector)(nil)
	_ connector.Leaver       = (*Connector)(nil)
	_ connector.Gossiper     = (*Connector)(nil)
	_ connector.SelfReporter = (*Connector)(nil)
	_ connector.Configured   = (*Connector)(nil)
)

// newConnector returns an error for each mistake, placed in the file where it has a place.
func newConnector(c config) (*Connector, error) {
	conn := &Connector{config: c}
	node, err := mlnet.New(mlnet.Config{Kind: "memberlist", Node: c.NodeConfig, Log: c.log, Start: conn.createCluster})
	if err := errors.Join(err, c.checkProfile()); err != nil {
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
// 1 s doubling to 30 s, for ever. It returns when the listeners and all goroutines of this
// connector have ended; memberlist's own follow within its probe timeout.
func (c *Connector) Run(ctx context.Context) error { return c.node.Run(ctx) }

// Connect joins the cluster of a peer. A name is resolved here and those of its addresses that are
// no members yet are tried in order until one answers: behind a name that stands for many nodes
// may be the other half of a split. The error names each. It returns [connector.ErrSelf] when all
// of them are our own, and [connector.ErrForeign] with the name of the other cluster.
func (c *Connector) Connect(ctx context.Context, p peer.Peer) error { return c.node.Connect(ctx, p) }

// Disconnect does nothing: membership is decided by the members alone.
func (c *Connector) Disconnect(context.Context, peer.Peer) error { return nil }

// List returns the living members without this node.
func (c *Connector) List(ctx context.Context) ([]peer.Peer, error) { return c.node.List(ctx) }

// Leave announces to the members that this node leaves on purpose, and returns when the announcement
// was sent or ctx is done. Until Run is called again the other methods return errors.
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

// Memberlist returns what runs underneath, nil while nothing is bound: for what it can be asked, and for sending. There is no delegate, so it
// publishes no metadata and receives no user messages. Do not shut it down or leave through it.
func (c *Connector) Memberlist() *memberlist.Memberlist {
	if l, ok := c.node.Cluster().(*list); ok {
		return l.Memberlist
	}
	return nil
}

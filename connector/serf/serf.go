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
	"github.com/goconvoke/convoke/internal/mlnet"
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

// Config says who this node is. Name, ClusterID and Listen are required.
type Config struct {
	// Name of this node: unique in the cluster and best kept across restarts; at most 255 printable bytes.
	Name string
	// ClusterID keeps two clusters from merging; at most 255 bytes. It is memberlist's label, and the tag [ClusterTag].
	ClusterID string
	// Listen is the host:port for TCP and UDP. An empty or unspecified host means all
	// interfaces, port 0 any free port.
	Listen string
	// Advertise is the host[:port] at which other nodes reach this one; port 0 or none means the
	// port of Listen. "" means the host of Listen, or if that is all interfaces, the address of the default route.
	Advertise string
	// Keys encrypt all traffic: 16, 24 or 32 bytes each. The first encrypts, all decrypt, so that a key can be
	// exchanged node by node. No keys: no encryption.
	Keys [][]byte
	// Tags are what other nodes are told of this one. Together with the tag of the cluster ID they take at most
	// 512 bytes encoded: two or three more per tag than their text has.
	Tags map[string]string
	// Profile is LAN if empty.
	Profile Profile
	// Log receives what this connector and serf report; nil discards it.
	Log hclog.Logger
}

// Connector is a [connector.Connector] on hashicorp/serf. Its methods may be called in any order and at
// once; while Run does not hold a listener they return errors.
type Connector struct {
	node   *mlnet.Node
	config Config
	tune   func(*serf.Config) // tests make it faster; may be nil
}

var (
	_ connector.Connector    = (*Connector)(nil)
	_ connector.Runner       = (*Connector)(nil)
	_ connector.Notifier     = (*Connector)(nil)
	_ connector.Leaver       = (*Connector)(nil)
	_ connector.Gossiper     = (*Connector)(nil)
	_ connector.SelfReporter = (*Connector)(nil)
)

// New checks the configuration. It does no I/O.
func New(c Config) (*Connector, error) {
	c.Tags = maps.Clone(c.Tags)
	conn := &Connector{config: c}
	node, err := mlnet.New(mlnet.Config{
		Kind:      "serf",
		Name:      c.Name,
		ClusterID: c.ClusterID,
		Listen:    c.Listen,
		Advertise: c.Advertise,
		Keys:      c.Keys,
		Log:       c.Log,
		Start:     conn.create,
	})
	if err := errors.Join(err, checkTags(c.Tags, c.ClusterID), c.checkProfile()); err != nil {
		return nil, fmt.Errorf("serf: %w", err)
	}
	conn.node = node
	return conn, nil
}

func (c Config) checkProfile() error {
	switch c.Profile {
	case "", LAN, WAN, Local:
		return nil
	}
	return fmt.Errorf("unknown profile %q (known: %s, %s, %s)", c.Profile, LAN, WAN, Local)
}

// Run listens and takes part until ctx is done. When it cannot listen it says so once and tries again, after
// 1 s doubling to 30 s, for ever. It returns when the listeners and all goroutines of this connector have
// ended. serf's own are told to end and cannot be awaited: they follow within the probe timeout, and one that forgets a member
// which was removed by force within 4 s. A serf that was shut down through [Connector.Serf] ends Run with an error.
func (c *Connector) Run(ctx context.Context) error { return c.node.Run(ctx) }

// Connect joins the cluster of a peer. A name is resolved here and those of its addresses that are
// no members yet are tried in order until one answers: behind a name that stands for many nodes
// may be the other half of a split. The error tells of each. It returns [connector.ErrSelf] when all
// of them are our own, and [connector.ErrForeign] when the node belongs to another cluster. User events
// from before the join are not replayed.
func (c *Connector) Connect(ctx context.Context, p peer.Peer) error { return c.node.Connect(ctx, p) }

// Disconnect does nothing: who is a member is decided by the members alone.
func (c *Connector) Disconnect(context.Context, peer.Peer) error { return nil }

// List returns the living members without this node. One that failed or is leaving is no living member.
func (c *Connector) List(ctx context.Context) ([]peer.Peer, error) { return c.node.List(ctx) }

// Leave tells the members that this node leaves on purpose, and returns when they were told, some 1 to 2 s later, or
// ctx is done. serf cannot be stopped while it says goodbye, so Run, told to end meanwhile, waits for it: at most 7 s.
// Until Run is called anew the other methods return errors.
func (c *Connector) Leave(ctx context.Context) error { return c.node.Leave(ctx) }

// Changes wakes the reader when a member came or went.
func (c *Connector) Changes() <-chan struct{} { return c.node.Changes() }

// Gossips returns true: members learn of each other without us.
func (c *Connector) Gossips() bool { return true }

// Self returns the advertised address and, with a listener on all interfaces, that too. Before the listener is
// bound it returns what the configuration says already.
func (c *Connector) Self() []peer.Peer { return c.node.Self() }

// Serf returns what runs underneath, nil while nothing is bound: for tags, user events, queries, removing a failed
// node. It must not be shut down or left through it.
func (c *Connector) Serf() *serf.Serf {
	if u, ok := c.node.Cluster().(*underneath); ok {
		return u.serf
	}
	return nil
}

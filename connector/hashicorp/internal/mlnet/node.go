// Package mlnet is what the connectors on memberlist and on serf have in common: a listener that is bound for as
// long as it takes, one join at a time under a context, an answer for callers of another cluster, and
// the detection of ourselves. What runs on the listener is a [Cluster].
package mlnet

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/strictyaml"
	"github.com/goconvoke/convoke/peer"
)

// Cluster is what runs on a listener: memberlist, or serf on it. Its methods may be called at once, but none
// after Shutdown, and Leave at most once.
type Cluster interface {
	// Join swaps the full state with the node at one address, in the form "name/host:port"; the
	// name must reach the transport.
	Join(target string) error
	// Leave announces to the members that this node leaves on purpose. It returns soon after the timeout.
	Leave(timeout time.Duration) error
	// Shutdown ends everything but the transport.
	Shutdown() error
	// List returns the living members without this node.
	List() []peer.Peer
	// Has reports whether a living member has this address.
	Has(addr netip.AddrPort) bool
	// Any returns the address of some living member.
	Any() (netip.AddrPort, bool)
	// Done is closed when the cluster ended by itself; nil if it never does.
	Done() <-chan struct{}
}

// Binding is an open listener, and what a cluster on it needs to know.
type Binding struct {
	Host      netip.Addr     // bound
	Port      uint16         // bound
	Public    netip.AddrPort // advertised
	Transport *Transport
	Logger    *log.Logger // for memberlist and serf
	Damper    *Damper     // for all other users; Logger writes to it
	Changed   func()      // to be called when a member came or went; does not block
	NameTaken func()      // to be called when a member believes our name to live elsewhere; does not block
}

// Config describes a node. All fields are required but Log.
type Config struct {
	Kind  string // what runs underneath: begins errors
	Node  connector.NodeConfig
	Log   hclog.Logger
	Start func(Binding) (Cluster, error)
}

// Node is a connector on a [Cluster]; package connector documents its methods.
type Node struct {
	First time.Duration // wait after the first bind that failed; set before Run
	Names Resolver      // set before Run

	config  Config
	listen  hostPort
	public  hostPort // the host is empty: automatic
	damper  *Damper
	changes chan struct{}
	follow  func(s *session, moved func(netip.Addr)) // followHost, but in tests

	mu      sync.Mutex
	running bool
	session *session // nil while nothing is bound
	why     error    // why there is no session
}

// Why a method returned an error.
var (
	ErrNotRunning = errors.New("not running: Run was not called or has ended")
	ErrRunning    = errors.New("Run was called while it runs")
	ErrLeft       = errors.New("this node has left its cluster; call Run again to return")

	errStarting = errors.New("still starting to listen")
	errEnded    = errors.New("it was shut down from outside")
	errMoved    = errors.New("the address of this host has changed; starting to listen again")
)

// prefix adds to an error what it comes from.
func prefix(kind string, err error) error { return fmt.Errorf("%s: %w", kind, err) }

func (n *Node) err(err error) error { return prefix(n.config.Kind, err) }

// New checks what of a node neither memberlist nor serf can honour or start with: each error is placed in the file. It does no I/O.
func New(c Config) (*Node, error) {
	listen, err1 := parseListen(c.Node.Listen)
	public, err2 := parseAdvertise(c.Node.Advertise)
	if err := errors.Join(c.check(), strictyaml.At("node.listen", err1), strictyaml.At("node.advertise", err2)); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	n := &Node{
		First:   firstWait,
		Names:   net.DefaultResolver,
		config:  c,
		listen:  listen,
		public:  public,
		damper:  NewDamper(c.Log),
		changes: make(chan struct{}, 1),
		why:     prefix(c.Kind, ErrNotRunning),
	}
	n.follow = n.followHost
	return n, nil
}

func (c Config) check() error {
	return errors.Join(
		strictyaml.At("node.name", CheckName(c.Node.Name)),
		c.Node.Refuse(c.Kind, connector.SettingZone, connector.SettingVersion, connector.SettingDataDir,
			connector.SettingForgetAfter, connector.SettingTLS, connector.SettingQuorum, connector.SettingGroups))
}

// CheckEnv reports what neither memberlist nor serf can do.
func CheckEnv(kind string, env connector.Env) error {
	if env.Rejoin {
		return fmt.Errorf("rejoin: the connector %s cannot remove members for good; start without it", kind)
	}
	if len(env.Keys) > 0 {
		return fmt.Errorf("keys: members of the connector %s publish none; start without them", kind)
	}
	return nil
}

// List returns the living members without this node.
func (n *Node) List(ctx context.Context) ([]peer.Peer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	s, err := n.current()
	if err != nil {
		return nil, err
	}
	return s.cluster.List(), nil
}

// Changes wakes the reader when a member came or went.
func (n *Node) Changes() <-chan struct{} { return n.changes }

// Self returns the advertised address and, with a listener on all interfaces, that too. Before the listener is
// bound it returns the address of the configuration.
func (n *Node) Self() []peer.Peer {
	n.mu.Lock()
	s := n.session
	n.mu.Unlock()
	public, listen := n.public, n.listen
	if s != nil {
		public = hostPort{s.public.Addr().String(), s.public.Port()}
		listen.port = s.port
	}
	if public.port == 0 {
		public.port = listen.port
	}
	var all []peer.Peer
	for _, hp := range []hostPort{public, listen} {
		p := peer.Peer{Addr: hp.String(), ID: n.config.Node.Name}
		if hp.host == "" || hp.port == 0 || len(all) > 0 && all[0] == p {
			continue
		}
		all = append(all, p)
	}
	return all
}

// Cluster returns what runs underneath, nil while nothing is bound.
func (n *Node) Cluster() Cluster {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session == nil {
		return nil
	}
	return n.session.cluster
}

// current returns the session, or why there is none.
func (n *Node) current() (*session, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.session == nil {
		return nil, n.why
	}
	return n.session, n.session.goneError()
}

func (n *Node) notify() {
	select {
	case n.changes <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// Package memberlist connects peers through hashicorp/memberlist: one contact is enough, the
// rest of the cluster is learnt by gossip. What it adds to memberlist is described in the README.
package memberlist

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/connector"
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

// Config says who this node is. Name, ClusterID and Listen are required.
type Config struct {
	// Name of this node: unique in the cluster and best kept across restarts; at most 255 printable bytes.
	Name string
	// ClusterID keeps two clusters from merging; at most 255 bytes. It is memberlist's label.
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
	// Profile is LAN if empty.
	Profile Profile
	// Log receives what this connector and memberlist report; nil discards it.
	Log hclog.Logger
}

// Connector is a [connector.Connector] on hashicorp/memberlist. Its methods may be called in any order and at
// once; while Run does not hold a listener they return errors.
type Connector struct {
	config  Config
	listen  hostPort
	public  hostPort // the host is empty: automatic
	log     *damper
	changes chan struct{}

	names resolver
	first time.Duration            // wait after the first bind that failed
	tune  func(*memberlist.Config) // tests make the profile faster; may be nil

	mu      sync.Mutex
	running bool
	session *session // nil while nothing is bound
	why     error    // why there is no session
}

var (
	_ connector.Connector    = (*Connector)(nil)
	_ connector.Runner       = (*Connector)(nil)
	_ connector.Notifier     = (*Connector)(nil)
	_ connector.Leaver       = (*Connector)(nil)
	_ connector.Gossiper     = (*Connector)(nil)
	_ connector.SelfReporter = (*Connector)(nil)
)

var (
	errNotRunning = errors.New("memberlist: not running: Run was not called or has ended")
	errStarting   = errors.New("memberlist: still starting to listen")
	errRunning    = errors.New("memberlist: Run was called while it runs")
	errLeft       = errors.New("memberlist: this node has left its cluster; Run must be called anew to return")
)

// New checks the configuration. It does no I/O.
func New(c Config) (*Connector, error) {
	listen, err1 := parseListen(c.Listen)
	public, err2 := parseAdvertise(c.Advertise)
	if err := errors.Join(c.check(), err1, err2); err != nil {
		return nil, fmt.Errorf("memberlist: %w", err)
	}
	if c.Log == nil {
		c.Log = hclog.NewNullLogger()
	}
	return &Connector{
		config:  c,
		listen:  listen,
		public:  public,
		log:     newDamper(c.Log),
		changes: make(chan struct{}, 1),
		names:   net.DefaultResolver,
		first:   firstWait,
		why:     errNotRunning,
	}, nil
}

func (c Config) check() error {
	errs := []error{checkName(c.Name)}
	if n := len(c.ClusterID); n == 0 || n > maxLabel {
		errs = append(errs, fmt.Errorf("the cluster ID has %d bytes, want 1 to %d", n, maxLabel))
	}
	for i, key := range c.Keys {
		if err := memberlist.ValidateKey(key); err != nil {
			errs = append(errs, fmt.Errorf("key %d of %d has %d bytes, want 16, 24 or 32", i+1, len(c.Keys), len(key)))
		}
	}
	switch c.Profile {
	case "", LAN, WAN, Local:
	default:
		errs = append(errs, fmt.Errorf("unknown profile %q (known: %s, %s, %s)", c.Profile, LAN, WAN, Local))
	}
	return errors.Join(errs...)
}

// List returns the living members without this node.
func (c *Connector) List(ctx context.Context) ([]peer.Peer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	s, err := c.current()
	if err != nil {
		return nil, err
	}
	return s.members.list(), nil
}

// Disconnect does nothing: who is a member is decided by the members alone.
func (c *Connector) Disconnect(context.Context, peer.Peer) error { return nil }

// Changes wakes the reader when a member came or went.
func (c *Connector) Changes() <-chan struct{} { return c.changes }

// Gossips returns true: members learn of each other without us.
func (c *Connector) Gossips() bool { return true }

// Self returns the advertised address and, with a listener on all interfaces, that too. Before the listener is
// bound it returns what the configuration says already.
func (c *Connector) Self() []peer.Peer {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	public, listen := c.public, c.listen
	if s != nil {
		public = hostPort{s.public.Addr().String(), s.public.Port()}
		listen.port = s.port
	}
	if public.port == 0 {
		public.port = listen.port
	}
	var all []peer.Peer
	for _, hp := range []hostPort{public, listen} {
		p := peer.Peer{Addr: hp.String(), ID: c.config.Name}
		if hp.host == "" || hp.port == 0 || len(all) > 0 && all[0] == p {
			continue
		}
		all = append(all, p)
	}
	return all
}

// Memberlist returns what runs underneath, nil while nothing is bound: for metadata, user
// messages, whatever else a program needs. It must not be shut down or left through it.
func (c *Connector) Memberlist() *memberlist.Memberlist {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil
	}
	return c.session.list
}

// current returns the session, or why there is none.
func (c *Connector) current() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return nil, c.why
	}
	return c.session, c.session.gone()
}

func (c *Connector) notify() {
	select {
	case c.changes <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// hostPort is a host, which may be a name, and a port, where 0 means any.
type hostPort struct {
	host string
	port uint16
}

// String returns the canonical host:port.
func (hp hostPort) String() string {
	return net.JoinHostPort(hp.host, strconv.Itoa(int(hp.port)))
}

// unspecified reports whether the host stands for all interfaces.
func (hp hostPort) unspecified() bool {
	ip, err := netip.ParseAddr(hp.host)
	return err == nil && ip.IsUnspecified()
}

// parseListen reads a host:port; without a host it means all interfaces.
func parseListen(s string) (hostPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return hostPort{}, fmt.Errorf("listen address %q: want host:port", s)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	hp, err := parseHostPort(host, port)
	if err != nil {
		return hostPort{}, fmt.Errorf("listen address %q: %w", s, err)
	}
	return hp, nil
}

// parseAdvertise reads a host[:port]; "" is nothing.
func parseAdvertise(s string) (hostPort, error) {
	if s == "" {
		return hostPort{}, nil
	}
	host, port := s, "0"
	if _, err := netip.ParseAddr(s); err != nil { // an IPv6 address needs no brackets
		if h, p, err := net.SplitHostPort(s); err == nil {
			host, port = h, p
		}
	}
	hp, err := parseHostPort(host, port)
	switch {
	case err != nil:
		return hostPort{}, fmt.Errorf("advertised address %q: %w", s, err)
	case hp.unspecified():
		return hostPort{}, fmt.Errorf("advertised address %q: nobody can dial it", s)
	}
	return hp, nil
}

func parseHostPort(host, port string) (hostPort, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return hostPort{}, fmt.Errorf("port %q is not a number in 0..65535", port)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() != "" {
		return hostPort{}, errors.New("memberlist cannot carry the zone of a link-local address")
	}
	addr, err := peer.Addr(net.JoinHostPort(host, "1")) // any port: the host is what matters
	if err != nil {
		return hostPort{}, err
	}
	host, _, err = net.SplitHostPort(addr)
	return hostPort{host: host, port: uint16(n)}, err
}

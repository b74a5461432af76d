package memberlist

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/internal/hostaddr"
)

const (
	firstWait   = time.Second      // after the first bind that failed; doubles,
	longestWait = 30 * time.Second // up to this, ±20 %
	bindTimeout = 10 * time.Second // for the names in Listen and Advertise
	anyPortTry  = 10               // a port free for TCP may be taken for UDP

	// tcpTimeout bounds a dial, and again each exchange on a stream.
	tcpTimeout = 5 * time.Second
	// reclaim is how long after a node's death its name may come back from another address. memberlist's
	// default is never; longer than nothing, a node that restarts elsewhere is locked out.
	reclaim = time.Millisecond
)

// Run listens and takes part until ctx is done. When it cannot listen it says so once and tries again, after
// 1 s doubling to 30 s, for ever. It returns when the listeners and all goroutines of this
// connector have ended; memberlist's own follow within its probe timeout.
func (c *Connector) Run(ctx context.Context) error {
	if err := c.start(); err != nil {
		return err
	}
	s, err := c.bindUntil(ctx)
	if err != nil {
		c.ended(nil)
		return err
	}
	c.mu.Lock()
	c.session = s
	c.mu.Unlock()
	c.notify()
	<-ctx.Done()
	c.ended(s)
	return ctx.Err()
}

func (c *Connector) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return errRunning
	}
	c.running, c.why = true, errStarting
	return nil
}

// ended makes the methods return errors again and ends the session, if there is one.
func (c *Connector) ended(s *session) {
	c.mu.Lock()
	c.session, c.why = nil, errNotRunning
	c.mu.Unlock()
	if s != nil {
		s.close()
	}
	c.mu.Lock()
	c.running = false
	c.mu.Unlock()
	c.notify()
}

// bindUntil binds, again and again, until it succeeds or ctx is done.
func (c *Connector) bindUntil(ctx context.Context) (*session, error) {
	for attempt := 1; ; attempt++ {
		s, err := c.bind(ctx)
		if ctx.Err() != nil {
			if s != nil {
				s.close()
			}
			return nil, ctx.Err()
		}
		if err == nil {
			c.config.Log.Info("listening", "addr", s.bound().String(), "advertise", s.public.String(), "attempt", attempt)
			return s, nil
		}
		if attempt == 1 {
			c.config.Log.Warn("cannot listen, trying again", "addr", c.listen.String(), "error", err)
		}
		c.mu.Lock()
		c.why = err
		c.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(c.wait(attempt)):
		}
	}
}

// wait returns how long to wait after so many binds that failed.
func (c *Connector) wait(failures int) time.Duration {
	d := c.first
	for range failures - 1 {
		if d = 2 * d; d >= longestWait {
			d = longestWait
			break
		}
	}
	return min(longestWait, d+time.Duration((0.4*rand.Float64()-0.2)*float64(d)))
}

// bind listens and starts memberlist.
func (c *Connector) bind(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	host, err := c.resolveOne(ctx, c.listen.host)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", c.listen, err)
	}
	public, err := c.publicHost(ctx, host)
	if err != nil {
		return nil, err
	}
	logger := log.New(c.log, "", 0)
	nt, err := listen(host, c.listen.port, logger)
	if err != nil {
		return nil, err
	}
	port := uint16(nt.GetAutoBindPort())
	s := newSession(c, netip.AddrPortFrom(public, c.publicPort(port)), host, port)
	s.transport = newTransport(nt, c.config.ClusterID, tcpTimeout, c.log)
	s.list, err = memberlist.Create(c.listConfig(s, logger))
	if err != nil {
		s.end()
		_ = s.transport.Shutdown()
		return nil, fmt.Errorf("start on %s: %w", s.bound(), err)
	}
	s.tasks.Go(func() { s.keepName(c.wait) })
	return s, nil
}

// listConfig returns memberlist's configuration for a session.
func (c *Connector) listConfig(s *session, logger *log.Logger) *memberlist.Config {
	conf := memberlist.DefaultLANConfig()
	switch c.config.Profile {
	case WAN:
		conf = memberlist.DefaultWANConfig()
	case Local:
		conf = memberlist.DefaultLocalConfig()
	}
	conf.Name = c.config.Name
	conf.Label = c.config.ClusterID
	conf.BindAddr, conf.BindPort = s.host.String(), int(s.port)
	conf.AdvertiseAddr, conf.AdvertisePort = s.public.Addr().String(), int(s.public.Port())
	conf.Transport = s.transport
	conf.TCPTimeout = tcpTimeout
	conf.DeadNodeReclaimTime = reclaim
	conf.EnableCompression = false // costs more than it saves on packets this small; what others compress is read
	conf.Logger, conf.LogOutput = logger, nil
	conf.Events, conf.Alive, conf.Conflict, conf.Merge = s.members, s.members, s.members, s.members
	if len(c.config.Keys) > 0 {
		// The keys were checked by New; the ring copies nothing secret into errors.
		conf.Keyring, _ = memberlist.NewKeyring(c.config.Keys, c.config.Keys[0])
	}
	if c.tune != nil {
		c.tune(conf)
	}
	return conf
}

// publicPort returns the advertised port of a listener on this port.
func (c *Connector) publicPort(bound uint16) uint16 {
	if c.public.port != 0 {
		return c.public.port
	}
	return bound
}

// publicHost returns the advertised address of a listener on this one.
func (c *Connector) publicHost(ctx context.Context, listen netip.Addr) (netip.Addr, error) {
	switch {
	case c.public.host != "":
		addr, err := c.resolveOne(ctx, c.public.host)
		if err != nil {
			return addr, fmt.Errorf("advertise %s: %w", c.public.host, err)
		}
		return addr, nil
	case !listen.IsUnspecified():
		return listen, nil
	}
	addr, err := hostaddr.Outbound()
	if err != nil {
		return addr, fmt.Errorf("advertise: %w", err)
	}
	return addr, nil
}

// listen opens the TCP and the UDP socket.
func listen(host netip.Addr, port uint16, logger *log.Logger) (*memberlist.NetTransport, error) {
	conf := &memberlist.NetTransportConfig{
		BindAddrs: []string{host.String()},
		BindPort:  int(port),
		Logger:    logger,
	}
	nt, err := memberlist.NewNetTransport(conf)
	for try := 1; err != nil && port == 0 && try < anyPortTry; try++ {
		nt, err = memberlist.NewNetTransport(conf)
	}
	if err != nil {
		return nil, bindError(netip.AddrPortFrom(host, port), err)
	}
	return nt, nil
}

// bindError shortens memberlist's "failed to start TCP listener on …: listen tcp …: bind: reason", which wraps nothing.
func bindError(addr netip.AddrPort, err error) error {
	text, network := err.Error(), "tcp"
	if strings.Contains(text, "UDP") {
		network = "udp"
	}
	if i := strings.LastIndex(text, "bind: "); i >= 0 {
		text = text[i+len("bind: "):]
	}
	return fmt.Errorf("listen %s (%s): %s", addr, network, text)
}

// resolver looks names up; *net.Resolver is one.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var errNoAddress = errors.New("the name has no address")

// resolve returns the addresses of a host, which may be one already.
func (c *Connector) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	all, err := c.names.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &net.DNSError{Err: errNoAddress.Error(), Name: host, IsNotFound: true}
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	return all, nil
}

func (c *Connector) resolveOne(ctx context.Context, host string) (netip.Addr, error) {
	all, err := c.resolve(ctx, host)
	if err != nil {
		return netip.Addr{}, err
	}
	return all[0], nil
}

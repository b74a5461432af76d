package mlnet

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/internal/hostaddr"
)

const (
	firstWait   = time.Second      // after the first bind that failed; doubles,
	longestWait = 30 * time.Second // up to this, ±20 %
	bindTimeout = 10 * time.Second // for the names in Listen and Advertise
	anyPortTry  = 10               // a port free for TCP may be taken for UDP

	// TCPTimeout bounds a dial, and again each exchange on a stream.
	TCPTimeout = 5 * time.Second
)

// Run listens and takes part until ctx is done. When it cannot listen it logs that once and tries again, after
// 1 s doubling to 30 s, for ever. When the host loses the address that it advertises by itself, the node listens and advertises again: a
// running memberlist cannot change its address. Run returns when the listeners and all goroutines of this
// connector have ended; memberlist's own follow within its probe timeout. A cluster that shut down by itself ends it too.
func (n *Node) Run(ctx context.Context) error {
	if err := n.start(); err != nil {
		return err
	}
	for {
		s, err := n.bindUntil(ctx)
		if err != nil {
			n.endSession(nil)
			return err
		}
		n.setSession(s, nil)
		err = n.awaitEnd(ctx, s)
		if !errors.Is(err, errMoved) {
			n.endSession(s)
			return err
		}
		n.setSession(nil, err)
		s.close()
	}
}

// setSession makes a session the one in use, or states why there is none.
func (n *Node) setSession(s *session, why error) {
	n.mu.Lock()
	n.session, n.why = s, why
	n.mu.Unlock()
	n.notify()
}

// awaitEnd returns why a session is to end: ctx, the end of its cluster, or errMoved.
func (n *Node) awaitEnd(ctx context.Context, s *session) error {
	moved := make(chan netip.Addr, 1)
	s.tasks.Go(func() {
		n.follow(s, func(a netip.Addr) {
			select {
			case moved <- a:
			default: // the first one ends the session already
			}
		})
	})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.cluster.Done():
			return n.err(errEnded)
		case a := <-moved:
			if s.goneError() != nil {
				continue // it has left, and must not come back
			}
			n.config.Log.Info("this host has another address; listening again", "addr", a.String(), "before", s.public.String())
			return n.err(errMoved)
		}
	}
}

func (n *Node) start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running {
		return n.err(ErrRunning)
	}
	n.running, n.why = true, n.err(errStarting)
	return nil
}

// endSession makes the methods return errors again and ends the session, if there is one.
func (n *Node) endSession(s *session) {
	n.mu.Lock()
	n.session, n.why = nil, n.err(ErrNotRunning)
	n.mu.Unlock()
	if s != nil {
		s.close()
	}
	n.mu.Lock()
	n.running = false
	n.mu.Unlock()
	n.notify()
}

// followHost calls moved when the address that a session advertises is that of the host and the host gets another one. It returns
// when the session ends, at once if the address is given.
func (n *Node) followHost(s *session, moved func(netip.Addr)) {
	if n.public.host == "" && s.host.IsUnspecified() {
		hostaddr.Follow(s.life, s.public.Addr(), moved)
	}
}

// bindUntil binds, again and again, until it succeeds or ctx is done.
func (n *Node) bindUntil(ctx context.Context) (*session, error) {
	for attempt := 1; ; attempt++ {
		s, err := n.bindSession(ctx)
		if ctx.Err() != nil {
			if s != nil {
				s.close()
			}
			return nil, ctx.Err()
		}
		if err == nil {
			n.config.Log.Info("listening", "addr", s.bound().String(), "advertise", s.public.String(), "attempt", attempt)
			return s, nil
		}
		if attempt == 1 {
			n.config.Log.Warn("cannot listen, trying again", "addr", n.listen.String(), "error", err)
		}
		n.mu.Lock()
		n.why = err
		n.mu.Unlock()
		if err := backoff.Sleep(ctx, n.bindBackoff(attempt)); err != nil {
			return nil, err
		}
	}
}

// bindBackoff returns how long to wait after so many binds that failed in a row.
func (n *Node) bindBackoff(failures int) time.Duration {
	return min(longestWait, backoff.Jitter(nil, backoff.Doubling(n.First, longestWait, failures), 0.2))
}

// bindSession listens and starts what runs underneath.
func (n *Node) bindSession(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	host, err := n.resolveOne(ctx, n.listen.host)
	if err != nil {
		return nil, fmt.Errorf("listen %s: %w", n.listen, err)
	}
	public, err := n.publicHost(ctx, host)
	if err != nil {
		return nil, err
	}
	logger := log.New(n.damper, "", 0)
	nt, err := listenBoth(host, n.listen.port, logger)
	if err != nil {
		return nil, err
	}
	port := uint16(nt.GetAutoBindPort())
	s := newSession(n, netip.AddrPortFrom(public, n.publicPort(port)), host, port)
	s.transport = newTransport(nt, n.config.Node.Cluster, TCPTimeout, n.damper)
	s.cluster, err = n.config.Start(s.binding(logger))
	if err != nil {
		s.end()
		_ = s.transport.Shutdown()
		return nil, fmt.Errorf("start on %s: %w", s.bound(), err)
	}
	s.tasks.Go(func() { s.keepName(n.bindBackoff) })
	return s, nil
}

// publicPort returns the advertised port of a listener on this port.
func (n *Node) publicPort(bound uint16) uint16 {
	if n.public.port != 0 {
		return n.public.port
	}
	return bound
}

// publicHost returns the advertised address of a listener on this one.
func (n *Node) publicHost(ctx context.Context, listen netip.Addr) (netip.Addr, error) {
	switch {
	case n.public.host != "":
		addr, err := n.resolveOne(ctx, n.public.host)
		if err != nil {
			return addr, fmt.Errorf("advertise %s: %w", n.public.host, err)
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

// listenBoth opens the TCP and the UDP socket.
func listenBoth(host netip.Addr, port uint16, logger *log.Logger) (*memberlist.NetTransport, error) {
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

// Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var errNoAddress = errors.New("the name has no address")

// resolveHost returns the addresses of a host, which may be one already.
func (n *Node) resolveHost(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	all, err := n.Names.LookupNetIP(ctx, "ip", host)
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

func (n *Node) resolveOne(ctx context.Context, host string) (netip.Addr, error) {
	all, err := n.resolveHost(ctx, host)
	if err != nil {
		return netip.Addr{}, err
	}
	return all[0], nil
}

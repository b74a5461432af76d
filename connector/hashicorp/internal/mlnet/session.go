package mlnet

import (
	"context"
	"log"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// session is one life of a listener: from a bind to the end of Run.
type session struct {
	cluster   Cluster
	transport *Transport
	host      netip.Addr     // bound
	port      uint16         // bound
	public    netip.AddrPort // advertised
	tries     atomic.Uint64  // names the attempts
	life      context.Context
	end       context.CancelFunc
	tasks     sync.WaitGroup // goroutines that end with life
	changed   func()         // must not block
	damper    *Damper
	kind      string

	// taken is signalled when a member that we exchanged state with believes our name to live
	// at another address: it will refuse ours. The buffer of one holds a signal until it is read.
	taken chan struct{}

	mu      sync.Mutex
	closing bool
	left    bool
	calls   sync.WaitGroup // calls that use cluster; none begins once closing is set
}

func newSession(n *Node, public netip.AddrPort, host netip.Addr, port uint16) *session {
	life, end := context.WithCancel(context.Background())
	return &session{
		host:    host,
		port:    port,
		public:  public,
		life:    life,
		end:     end,
		changed: n.notify,
		damper:  n.damper,
		kind:    n.config.Kind,
		taken:   make(chan struct{}, 1),
	}
}

// binding returns what the cluster of this session is started with.
func (s *session) binding(logger *log.Logger) Binding {
	return Binding{
		Host: s.host, Port: s.port, Public: s.public, Transport: s.transport,
		Logger: logger, Damper: s.damper, Changed: s.changed, NameTaken: s.askAgain,
	}
}

func (s *session) askAgain() {
	select {
	case s.taken <- struct{}{}:
	default:
	}
}

func (s *session) bound() netip.AddrPort { return netip.AddrPortFrom(s.host, s.port) }

// goneError returns why the session can no longer be used, nil if it can.
func (s *session) goneError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.goneLocked()
}

func (s *session) goneLocked() error {
	switch {
	case s.closing:
		return prefix(s.kind, ErrNotRunning)
	case s.left:
		return prefix(s.kind, ErrLeft)
	}
	return nil
}

// beginCall begins a call that uses the cluster; calls.Done ends it.
func (s *session) beginCall() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.goneLocked(); err != nil {
		return err
	}
	s.calls.Add(1)
	return nil
}

// beginLeave begins the one call of Leave; calls.Done ends it. It returns false if there was one already.
func (s *session) beginLeave() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.goneLocked() != nil {
		return false
	}
	s.left = true
	s.calls.Add(1)
	return true
}

// keepName exchanges state with a member again and again while the cluster believes our name
// to live elsewhere. wait gives the pause after so many exchanges.
func (s *session) keepName(wait func(int) time.Duration) {
	for n := 1; ; n++ {
		select {
		case <-s.life.Done():
			return
		case <-s.taken:
		}
		select {
		case <-s.life.Done():
			return
		case <-time.After(wait(n)):
		}
		addr, ok := s.cluster.Any()
		if !ok || s.beginCall() != nil {
			continue
		}
		if s.exchangeState(s.life, addr) != nil {
			s.askAgain()
		}
		s.calls.Done()
		if len(s.taken) == 0 {
			n = 0
		}
	}
}

// close ends every call, the cluster and the listeners, and waits for them.
func (s *session) close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.end()
	s.tasks.Wait()
	s.calls.Wait() // memberlist panics when Leave meets Shutdown
	_ = s.cluster.Shutdown()
	_ = s.transport.Shutdown() // waits also when another caller shut the cluster down
}

// isSelf reports whether an address is ours: advertised, bound, or, with a listener on all
// interfaces, one of this host with our port.
func (s *session) isSelf(addr netip.AddrPort) bool {
	switch {
	case addr == s.public || addr == s.bound():
		return true
	case addr.Port() != s.port:
		return false
	case !s.host.IsUnspecified():
		return addr.Addr().IsUnspecified() && s.host.IsLoopback()
	case addr.Addr().IsLoopback() || addr.Addr().IsUnspecified():
		return true
	}
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return false // then the stream from ourselves will show it
	}
	for _, n := range nets {
		if ipnet, ok := n.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(ipnet.IP); ok && ip.Unmap() == addr.Addr() {
				return true
			}
		}
	}
	return false
}

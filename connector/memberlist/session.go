package memberlist

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// session is one life of a listener: from a bind to the end of Run.
type session struct {
	list      *memberlist.Memberlist
	transport *transport
	members   *members
	host      netip.Addr     // bound
	port      uint16         // bound
	public    netip.AddrPort // advertised
	tries     atomic.Uint64  // names the attempts
	life      context.Context
	end       context.CancelFunc
	tasks     sync.WaitGroup // goroutines that end with life

	mu      sync.Mutex
	closing bool
	left    bool
	calls   sync.WaitGroup // calls that use list; none begins once closing is set
}

func newSession(c *Connector, public netip.AddrPort, host netip.Addr, port uint16) *session {
	life, end := context.WithCancel(context.Background())
	return &session{
		members: &members{
			self:    c.config.Name,
			public:  public,
			taken:   make(chan struct{}, 1),
			changed: c.notify,
			log:     c.log,
			alive:   make(map[string]netip.AddrPort),
		},
		host:   host,
		port:   port,
		public: public,
		life:   life,
		end:    end,
	}
}

func (s *session) bound() netip.AddrPort { return netip.AddrPortFrom(s.host, s.port) }

// gone returns why the session can no longer be used, nil if it can.
func (s *session) gone() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.goneLocked()
}

func (s *session) goneLocked() error {
	switch {
	case s.closing:
		return errNotRunning
	case s.left:
		return errLeft
	}
	return nil
}

// enter begins a call that uses the list; calls.Done ends it.
func (s *session) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.goneLocked(); err != nil {
		return err
	}
	s.calls.Add(1)
	return nil
}

// leaving begins the one call of Leave; calls.Done ends it. It returns false if there was one already.
func (s *session) leaving() bool {
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
		case <-s.members.taken:
		}
		select {
		case <-s.life.Done():
			return
		case <-time.After(wait(n)):
		}
		addr, ok := s.members.any()
		if !ok || s.enter() != nil {
			continue
		}
		if s.exchange(s.life, addr) != nil {
			s.members.askAgain()
		}
		s.calls.Done()
		if len(s.members.taken) == 0 {
			n = 0
		}
	}
}

// close ends every call, memberlist and the listeners, and waits for them.
func (s *session) close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.end()
	s.tasks.Wait()
	s.calls.Wait() // memberlist panics when Leave meets Shutdown
	_ = s.list.Shutdown()
	_ = s.transport.Shutdown() // waits also when somebody else shut the list down
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

package multicast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/goconvoke/convoke/strategy/strategytest"
)

// lan is a network in memory. Interfaces of one name are on one wire.
type lan struct {
	mu    sync.Mutex
	hosts []*host
}

// host is one machine on a lan; it is the network of the strategies that run on it.
type host struct {
	lan       *lan
	ifaces    []netInterface
	ifacesErr error
	listenErr [families]error
	sendErr   map[string]error // by interface
	sockets   []*lanSocket
	opened    int // sockets ever opened
	sent      int // datagrams ever sent
}

var errCut = errors.New("cut by the test")

const usual = net.FlagUp | net.FlagRunning | net.FlagMulticast | net.FlagBroadcast

// iface makes an interface; index and addresses follow from n.
func iface(name string, index, n int, both bool) netInterface {
	i := netInterface{Index: index, Name: name, Flags: usual}
	i.Addrs = append(i.Addrs, netip.MustParsePrefix(fmt.Sprintf("10.0.%d.%d/24", index, n)))
	if both {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(fmt.Sprintf("fe80::%d:%d/64", index, n)))
	}
	return i
}

// host adds a host; by default it has eth0 with both families.
func (l *lan) host(n int, ifaces ...netInterface) *host {
	if len(ifaces) == 0 {
		ifaces = []netInterface{iface("eth0", 1, n, true)}
	}
	h := &host{lan: l, ifaces: ifaces, sendErr: map[string]error{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts = append(l.hosts, h)
	return h
}

// change changes a host between two looks.
func (h *host) change(f func()) {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	f()
}

// setUp plugs the cable of an interface in or out; the memberships are lost with it.
func (h *host) setUp(name string, up bool) {
	h.change(func() {
		for i := range h.ifaces {
			if h.ifaces[i].Name != name {
				continue
			}
			h.ifaces[i].Flags = usual
			if !up {
				h.ifaces[i].Flags &^= net.FlagRunning
			}
			for _, s := range h.sockets {
				delete(s.joined, h.ifaces[i].Index)
			}
		}
	})
}

// breakSockets ends all sockets with an error.
func (h *host) breakSockets() {
	h.change(func() {
		for _, s := range h.sockets {
			s.end(errCut)
		}
		h.sockets = nil
	})
}

// count returns how many datagrams the host has sent.
func (h *host) count() int {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	return h.sent
}

func (h *host) Interfaces() ([]netInterface, error) {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	return slices.Clone(h.ifaces), h.ifacesErr
}

func (h *host) Listen(f family, c Config) (socket, error) {
	h.lan.mu.Lock()
	defer h.lan.mu.Unlock()
	if err := h.listenErr[f]; err != nil {
		return nil, err
	}
	s := &lanSocket{
		host: h, family: f, port: uint16(c.Port), joined: map[int]bool{},
		queue: make(chan datagram, 1024), ended: make(chan struct{}),
	}
	h.sockets = append(h.sockets, s)
	h.opened++
	return s, nil
}

// lanSocket is a socket of a host. Its fields are guarded by the mutex of the lan.
type lanSocket struct {
	host   *host
	family family
	port   uint16
	joined map[int]bool
	queue  chan datagram // as a kernel's buffer: full means lost
	ended  chan struct{}
	err    error
}

// end closes the socket; the mutex is held.
func (s *lanSocket) end(err error) {
	if s.err == nil {
		s.err = err
		close(s.ended)
	}
}

func (s *lanSocket) Join(i netInterface) error {
	s.host.lan.mu.Lock()
	defer s.host.lan.mu.Unlock()
	if s.joined[i.Index] {
		return errors.New("address already in use")
	}
	s.joined[i.Index] = true
	return nil
}

func (s *lanSocket) Leave(i netInterface) error {
	s.host.lan.mu.Lock()
	defer s.host.lan.mu.Unlock()
	delete(s.joined, i.Index)
	return nil
}

func (s *lanSocket) Receive(buf []byte) (datagram, error) {
	select {
	case d := <-s.queue:
		d.data = buf[:copy(buf, d.data)]
		return d, nil
	case <-s.ended:
		return datagram{}, s.err
	}
}

func (s *lanSocket) Close() error {
	s.host.lan.mu.Lock()
	defer s.host.lan.mu.Unlock()
	s.end(net.ErrClosed)
	s.host.sockets = slices.DeleteFunc(s.host.sockets, func(o *lanSocket) bool { return o == s })
	return nil
}

func (s *lanSocket) Send(b []byte, i netInterface, to netip.AddrPort) error {
	l := s.host.lan
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := s.host.sendErr[i.Name]; err != nil {
		return err
	}
	s.host.sent++
	if i.Index == 0 {
		i = s.host.ifaces[0]
	}
	l.deliver(s.host, i, s.family, slices.Clone(b), netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()), s.port)
	return nil
}

// deliver delivers a datagram to all sockets that it is for; the mutex is held.
func (l *lan) deliver(from *host, by netInterface, f family, b []byte, to netip.AddrPort, port uint16) {
	source := netip.AddrPortFrom(by.addr(f), port)
	if f == v6 {
		source = netip.AddrPortFrom(by.addr(f).WithZone(by.Name), port)
	}
	for _, h := range l.hosts {
		for _, in := range h.ifaces {
			if in.Name != by.Name || !in.up() || (h == from && in.Index != by.Index) {
				continue
			}
			if !by.up() {
				continue
			}
			for _, s := range h.sockets {
				if s.family == f && s.port == to.Port() && s.takes(in, to.Addr()) {
					select {
					case s.queue <- datagram{data: b, family: f, from: source, to: to.Addr(), iface: in.Index}:
					default:
					}
				}
			}
		}
	}
}

func (s *lanSocket) takes(in netInterface, to netip.Addr) bool {
	if to.IsMulticast() {
		return s.joined[in.Index]
	}
	return slices.Contains(in.broadcasts(), to) ||
		slices.ContainsFunc(in.Addrs, func(p netip.Prefix) bool { return p.Addr() == to })
}

// inject puts bytes on the wire of eth0, as sent to the IPv4 group by 10.0.1.99.
func (l *lan) inject(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stranger := &host{}
	c := DefaultConfig()
	l.deliver(stranger, iface("eth0", 1, 99, true), v4, slices.Clone(b), netAddrPort(c), uint16(c.Port))
}

// run starts a strategy on a host. It is stopped at the end of the test at the latest.
func (h *host) run(t testing.TB, c Config, node string, addrs ...string) *node {
	t.Helper()
	return h.runEnv(t, c, newTestNode(node, addrs...))
}

func (h *host) runEnv(t testing.TB, c Config, n *node) *node {
	t.Helper()
	s := strategytest.New(t, Kind, c, n.env).(*discoverer)
	s.network = h
	n.strategy = s
	n.start(t)
	return n
}

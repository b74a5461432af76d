package multicast

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// network is where sockets and interfaces come from: the kernel, or a fake in tests.
type network interface {
	Interfaces() ([]netInterface, error)
	Listen(f family, c Config) (socket, error)
}

// socket receives and sends datagrams of one family. Receive is called by one goroutine, the
// other methods by another one; Close ends a Receive that waits.
type socket interface {
	Join(i netInterface) error
	Leave(i netInterface) error
	Receive(buf []byte) (datagram, error)
	// Send sends to an address, by an interface unless i is the zero netInterface.
	Send(b []byte, i netInterface, to netip.AddrPort) error
	Close() error
}

const (
	sendTimeout = 200 * time.Millisecond // a full send buffer drops a heartbeat, it stops nothing
	oobSize     = 128
)

// osNetwork is the real network.
type osNetwork struct{}

// Interfaces lists the interfaces of the host.
func (osNetwork) Interfaces() ([]netInterface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	all := make([]netInterface, 0, len(list))
	for _, n := range list {
		addrs, err := n.Addrs()
		if err != nil {
			continue // it vanished meanwhile
		}
		i := netInterface{Index: n.Index, Name: n.Name, Flags: n.Flags}
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, _ := netip.AddrFromSlice(ipnet.IP)
			bits, _ := ipnet.Mask.Size()
			if ip = ip.Unmap(); ip.IsValid() {
				i.Addrs = append(i.Addrs, netip.PrefixFrom(ip, bits))
			}
		}
		all = append(all, i)
	}
	return all, nil
}

// Listen opens the socket of a family. Listening on a group makes the net package bind the
// wildcard address of its port with address reuse on, so that several nodes of a host
// share the port; joining the group is up to the caller.
func (osNetwork) Listen(f family, c Config) (socket, error) {
	group := c.groups()[f]
	if !group.IsValid() {
		group = netip.AddrFrom4([4]byte{224, 0, 0, 1}) // with broadcasts alone; never joined
	}
	at := net.JoinHostPort(group.String(), strconv.Itoa(c.Port))
	pc, err := net.ListenPacket([families]string{"udp4", "udp6"}[f], at)
	if err != nil {
		return nil, fmt.Errorf("listen on UDP port %d (%v): %w", c.Port, f, err)
	}
	conn := pc.(*net.UDPConn) // for a udp network it is
	if f == v4 {
		return newSocket4(conn, group, c.TTL)
	}
	return newSocket6(conn, group, c.TTL)
}

// socket4 is a socket of IPv4.
type socket4 struct {
	conn    *net.UDPConn
	p       *ipv4.PacketConn
	group   net.Addr
	oob     [oobSize]byte
	cm      ipv4.ControlMessage
	reports bool // the platform reports the destination and interface of each datagram
}

func newSocket4(conn *net.UDPConn, group netip.Addr, ttl int) (*socket4, error) {
	s := &socket4{conn: conn, p: ipv4.NewPacketConn(conn), group: &net.UDPAddr{IP: group.AsSlice()}}
	if err := s.p.SetMulticastTTL(ttl); err != nil {
		conn.Close()
		return nil, fmt.Errorf("set multicast ttl %d: %w", ttl, err)
	}
	// Where the platform lacks these two, the filter of destinations is lost, or nodes
	// of one host do not hear each other: better than nothing.
	s.reports = s.p.SetControlMessage(ipv4.FlagDst|ipv4.FlagInterface, true) == nil
	_ = s.p.SetMulticastLoopback(true)
	return s, nil
}

func (s *socket4) Join(i netInterface) error {
	return s.p.JoinGroup(&net.Interface{Index: i.Index, Name: i.Name}, s.group)
}

func (s *socket4) Leave(i netInterface) error {
	return s.p.LeaveGroup(&net.Interface{Index: i.Index, Name: i.Name}, s.group)
}

func (s *socket4) Receive(buf []byte) (datagram, error) {
	for {
		n, oob, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, s.oob[:])
		if err != nil {
			return datagram{}, err
		}
		d := datagram{data: buf[:n], family: v4, from: unmapAddrPort(from)}
		if oob > 0 && s.cm.Parse(s.oob[:oob]) == nil {
			to, _ := netip.AddrFromSlice(s.cm.Dst)
			d.to, d.iface = to.Unmap(), s.cm.IfIndex
		}
		if s.reports && d.iface == 0 {
			continue // it came before the socket was set up
		}
		return d, nil
	}
}

func (s *socket4) Send(b []byte, i netInterface, to netip.AddrPort) error {
	var cm *ipv4.ControlMessage
	if i.Index != 0 {
		cm = &ipv4.ControlMessage{IfIndex: i.Index, Src: i.addr(v4).AsSlice()}
		// For platforms without control messages; the others obey those.
		_ = s.p.SetMulticastInterface(&net.Interface{Index: i.Index, Name: i.Name})
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err := s.p.WriteTo(b, cm, net.UDPAddrFromAddrPort(to))
	return err
}

func (s *socket4) Close() error { return s.conn.Close() }

// socket6 is a socket of IPv6.
type socket6 struct {
	conn    *net.UDPConn
	p       *ipv6.PacketConn
	group   net.Addr
	oob     [oobSize]byte
	cm      ipv6.ControlMessage
	reports bool // the platform reports the destination and interface of each datagram
}

func newSocket6(conn *net.UDPConn, group netip.Addr, hops int) (*socket6, error) {
	s := &socket6{conn: conn, p: ipv6.NewPacketConn(conn), group: &net.UDPAddr{IP: group.AsSlice()}}
	if err := s.p.SetMulticastHopLimit(hops); err != nil {
		conn.Close()
		return nil, fmt.Errorf("set multicast hop limit %d: %w", hops, err)
	}
	s.reports = s.p.SetControlMessage(ipv6.FlagDst|ipv6.FlagInterface, true) == nil // see newSocket4
	_ = s.p.SetMulticastLoopback(true)
	return s, nil
}

func (s *socket6) Join(i netInterface) error {
	return s.p.JoinGroup(&net.Interface{Index: i.Index, Name: i.Name}, s.group)
}

func (s *socket6) Leave(i netInterface) error {
	return s.p.LeaveGroup(&net.Interface{Index: i.Index, Name: i.Name}, s.group)
}

func (s *socket6) Receive(buf []byte) (datagram, error) {
	for {
		n, oob, _, from, err := s.conn.ReadMsgUDPAddrPort(buf, s.oob[:])
		if err != nil {
			return datagram{}, err
		}
		d := datagram{data: buf[:n], family: v6, from: unmapAddrPort(from)}
		if oob > 0 && s.cm.Parse(s.oob[:oob]) == nil {
			d.to, _ = netip.AddrFromSlice(s.cm.Dst)
			d.iface = s.cm.IfIndex
		}
		if s.reports && d.iface == 0 {
			continue // it came before the socket was set up
		}
		return d, nil
	}
}

func (s *socket6) Send(b []byte, i netInterface, to netip.AddrPort) error {
	var cm *ipv6.ControlMessage
	if i.Index != 0 {
		cm = &ipv6.ControlMessage{IfIndex: i.Index}
		_ = s.p.SetMulticastInterface(&net.Interface{Index: i.Index, Name: i.Name}) // see socket4.Send
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err := s.p.WriteTo(b, cm, net.UDPAddrFromAddrPort(to))
	return err
}

func (s *socket6) Close() error { return s.conn.Close() }

func unmapAddrPort(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

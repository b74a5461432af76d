package multicast

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/peer"
)

const (
	answerGap  = time.Second // least time between two answers to one address
	maxAnswers = 256         // addresses remembered for that; when full no new one is answered for a while
)

// sender sends heartbeats. It belongs to the goroutine of the runner.
type sender struct {
	strategy   *discoverer
	sockets    *sockets
	instance   uint64
	generation int64
	interval   time.Duration // that heartbeats announce
	seq        uint64
	sent       uint64 // datagrams
	announced  bool   // a heartbeat was sent, so peers may know this node

	node    string   // as sent last
	addrs   []string // as sent last
	selfErr error    // why this node cannot be announced as it is

	seeds    []netip.AddrPort
	seedErrs []error
	seedSent error // why no seed could be sent to
	answered map[netip.AddrPort]time.Time
}

// findIdentity finds out the name and addresses of this node. It reports false while that is unknown.
func (s *sender) findIdentity() bool {
	s.node, s.addrs, s.selfErr = "", nil, nil
	for _, p := range s.strategy.env.Self() {
		if s.node == "" {
			s.node = p.ID
		}
		addr := p.Addr
		if port, ok := strings.CutPrefix(addr, ":"); ok {
			addr = "[::]:" + port // a listener on all addresses of both families
		}
		canonical, err := peer.Addr(addr)
		if err != nil {
			s.selfErr = fmt.Errorf("own %w; it is not announced", err)
			continue
		}
		if len(s.addrs) < maxAddrs && !slices.Contains(s.addrs, canonical) {
			s.addrs = append(s.addrs, canonical)
		}
	}
	if err := checkNode(s.node); err != nil {
		s.selfErr, s.addrs = fmt.Errorf("own %w; this node is not announced", err), nil
	}
	p := packet{Node: s.node, Addrs: s.addrs}
	p.trimToFit()
	s.addrs = p.Addrs
	return len(s.addrs) > 0
}

// nextPacket makes the next packet.
func (s *sender) nextPacket(flags byte, now time.Time) *packet {
	s.seq++
	return &packet{
		Instance:   s.instance,
		Generation: s.generation,
		Seq:        s.seq,
		Time:       now.UnixNano(),
		Flags:      withInterval(flags, s.interval),
		Node:       s.node,
		Addrs:      s.addrs,
	}
}

// sendHeartbeats sends one heartbeat, which announces this interval, by every interface and to every seed. It reports false while there
// is nothing to announce.
func (s *sender) sendHeartbeats(now time.Time, interval time.Duration) bool {
	if !s.findIdentity() {
		return false
	}
	s.interval = interval
	s.announced = true
	s.sendEverywhere(0, now)
	return true
}

// sendLeave announces to all targets that this node leaves.
func (s *sender) sendLeave(now time.Time) { s.sendEverywhere(flagLeave, now) }

func (s *sender) sendEverywhere(flags byte, now time.Time) {
	for f := range family(families) {
		l := &s.sockets.links[f]
		if l.socket == nil {
			continue
		}
		clear(l.sendErr)
		for _, i := range l.joined {
			s.byInterface(f, i, flags, now)
		}
	}
	if flags&flagLeave == 0 {
		flags |= flagHello
	}
	s.toSeeds(flags, now)
}

// toSeeds sends to every address of every seed. It is a failure only when none takes it: a host
// without IPv6 cannot reach that address of a seed that has both.
func (s *sender) toSeeds(flags byte, now time.Time) {
	s.seedSent = nil
	reached := false
	for _, to := range s.seeds {
		if err := s.sendTo(to, flags, now); err != nil {
			s.seedSent = fmt.Errorf("send to seed %v: %w", to, err)
		} else {
			reached = true
		}
	}
	if reached {
		s.seedSent = nil
	}
}

// byInterface sends to the group, or as broadcasts to the networks of an interface.
func (s *sender) byInterface(f family, i netInterface, flags byte, now time.Time) {
	c := s.sockets.config
	targets := []netip.Addr{c.groups()[f]}
	if c.Broadcast && f == v4 {
		if targets = i.broadcasts(); len(targets) == 0 {
			targets = []netip.Addr{limitedBroadcast}
		}
	}
	for _, t := range targets {
		if f == v6 {
			t = t.WithZone(i.Name)
		}
		err := s.send(f, i, netip.AddrPortFrom(t, uint16(c.Port)), s.nextPacket(flags, now))
		if err != nil {
			s.sockets.links[f].sendErr[i.Name] = fmt.Errorf("send to %v by %s: %w", t, i.Name, err)
			s.sockets.scanSoon(now)
		}
	}
}

// sendTo sends to one address.
func (s *sender) sendTo(addr netip.AddrPort, flags byte, now time.Time) error {
	f := familyOf(addr.Addr())
	if s.sockets.links[f].socket == nil {
		return fmt.Errorf("no %v socket is open", f)
	}
	return s.send(f, netInterface{}, addr, s.nextPacket(flags, now))
}

func (s *sender) send(f family, i netInterface, to netip.AddrPort, p *packet) error {
	b := s.strategy.codec.encode(make([]byte, 0, maxPacket), p)
	if err := s.sockets.links[f].socket.Send(b, i, to); err != nil {
		return err
	}
	s.sent++
	return nil
}

// answerHello sends a heartbeat to a node that asked for one, at most one a second to each.
func (s *sender) answerHello(to netip.AddrPort, now time.Time) {
	for addr, at := range s.answered {
		if now.Sub(at) >= answerGap {
			delete(s.answered, addr)
		}
	}
	if _, just := s.answered[to]; just || len(s.answered) >= maxAnswers || !s.findIdentity() {
		return
	}
	if s.answered == nil {
		s.answered = make(map[netip.AddrPort]time.Time)
	}
	s.answered[to] = now
	s.announced = true
	_ = s.sendTo(to, 0, now) // a node that does not get it asks again
}

// isSelf reports whether a packet is of this very node though of another run: when a reload hands
// over, two runs overlap, and after a crash the last packets of the run before may still arrive.
func (s *sender) isSelf(a *received) bool {
	p := &a.packet
	return len(p.Addrs) > 0 && p.Node == s.node && slices.Equal(p.Addrs, s.addrs) && s.sockets.sourceIsLocal(a.from.Addr())
}

// collectFaults returns what keeps this node from reaching all that it should.
func (s *sender) collectFaults() []error {
	errs := slices.Clone(s.seedErrs)
	for _, err := range []error{s.selfErr, s.seedSent} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// scanSoon brings the next look at the interfaces forward: one of them does not work.
func (s *sockets) scanSoon(now time.Time) {
	if soon := now.Add(eagerRescan); soon.Before(s.scanAt) {
		s.scanAt = soon
	}
}

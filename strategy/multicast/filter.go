package multicast

import (
	"net/netip"
	"sync"
	"time"
)

// datagram is what a socket received. data belongs to the socket until the next receive.
type datagram struct {
	data   []byte
	family family
	from   netip.AddrPort // unmapped
	to     netip.Addr     // unmapped; invalid where the platform does not report it
	iface  int            // index of the interface it came in by, 0 where the platform does not report it
}

// filter decides which datagrams are heard. It is safe for use by all receivers at once and
// spends a bounded effort on whatever arrives.
type filter struct {
	codec     *codec
	groups    [families]netip.Addr // invalid: the family is off
	broadcast bool
	instance  uint64 // our own packets carry it; 0 for a run that only listens

	mu      sync.Mutex
	rates   *rateLimiter
	windows *replayWindows
	own     allowance // of our own packets, which come back
	ifaces  [families]map[int]bool
	casts   map[netip.Addr]bool // broadcast addresses of our networks
	counts  [dropReasons]uint64
	scratch [maxPacket]byte
}

func newFilter(c Config, codec *codec, instance uint64) *filter {
	keep := c.peerExpiry() + c.Interval
	if codec.hasKeys() {
		keep = 2 * maxSkew // packets from both sides of the allowed skew
	}
	s := &filter{
		codec:     codec,
		broadcast: c.Broadcast,
		instance:  instance,
		rates:     newRates(),
		windows:   newWindows(keep),
	}
	s.groups = c.groups()
	return s
}

// setInterfaces sets the interfaces by which multicasts are accepted and the addresses that are broadcasts.
func (s *filter) setInterfaces(chosen [families][]netInterface, all []netInterface) {
	casts := map[netip.Addr]bool{limitedBroadcast: true}
	for _, i := range all {
		for _, a := range i.broadcasts() {
			casts[a] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.casts = casts
	for f := range chosen {
		s.ifaces[f] = make(map[int]bool, len(chosen[f]))
		for _, i := range chosen[f] {
			s.ifaces[f][i.Index] = true
		}
	}
}

// checkPacket judges a datagram, counts the outcome, and returns the packet as far as it could be read.
func (s *filter) checkPacket(d datagram, now time.Time) (packet, dropReason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, v := s.checkLocked(d, now)
	s.counts[v]++
	return p, v
}

func (s *filter) checkLocked(d datagram, now time.Time) (packet, dropReason) {
	if v := s.codec.precheck(d.data); v != accepted {
		return packet{}, v
	}
	if !s.welcomeLocked(&d) {
		return packet{}, badDestination
	}
	if !s.rates.allow(d.from.Addr(), now) {
		return packet{}, badRate
	}
	p, v := s.codec.open(s.scratch[:0], d.data)
	if v != accepted {
		return packet{}, v
	}
	if s.instance != 0 && p.Instance == s.instance {
		if s.own.take(now) {
			s.rates.refund(d.from.Addr())
		}
		return p, own
	}
	if s.codec.hasKeys() && p.at().Sub(now).Abs() > maxSkew {
		return p, badSkew
	}
	v, free := s.windows.admit(&p, now)
	if free {
		s.rates.refund(d.from.Addr())
	}
	return p, v
}

// welcomeLocked reports whether the destination is our group, a broadcast when we use those,
// or this node alone. A socket also receives what others on this host have joined.
func (s *filter) welcomeLocked(d *datagram) bool {
	switch {
	case !d.to.IsValid():
		return true
	case d.to.IsMulticast():
		if s.broadcast && d.family == v4 || d.to.WithZone("") != s.groups[d.family] {
			return false
		}
		return d.iface == 0 || s.ifaces[d.family][d.iface]
	case s.casts[d.to]:
		return s.broadcast && (d.iface == 0 || s.ifaces[v4][d.iface])
	}
	return true
}

// recountDropped moves a packet that was accepted here and refused later to the reason for that.
func (s *filter) recountDropped(v dropReason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[accepted]--
	s.counts[v]++
}

// countFates returns how many datagrams met each fate, those that none met left out.
func (s *filter) countFates() map[string]uint64 {
	s.mu.Lock()
	counts := s.counts
	s.mu.Unlock()
	named := make(map[string]uint64)
	for v, n := range counts {
		if n > 0 {
			named[dropReason(v).String()] = n
		}
	}
	return named
}

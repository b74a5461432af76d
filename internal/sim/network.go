package sim

import "time"

// Network carries messages in ordered streams, one for each pair of hosts and direction.
type Network struct {
	LatencyMin, LatencyMax time.Duration
	Loss                   float64       // chance that a message is sent again after 200 ms, doubling
	Break                  float64       // chance that a message breaks its stream
	GiveUp                 time.Duration // a stream over a cut breaks after this

	// Deliver is called in the process of the receiver; Broken in that of the sender, when its stream ended.
	Deliver func(from, to *Host, message any)
	Broken  func(at, peer *Host)

	world   *World
	side    map[int]int
	cut     map[[2]int]bool
	streams map[[2]int]*direction
}

func newNetwork(w *World) Network {
	return Network{world: w, LatencyMin: 500 * time.Microsecond, LatencyMax: 1500 * time.Microsecond, GiveUp: 3 * time.Second,
		side: map[int]int{}, cut: map[[2]int]bool{}, streams: map[[2]int]*direction{}}
}

// direction is one direction of a connection between two processes.
type direction struct {
	from, to   *Host
	lives      [2]int
	last       time.Duration // when the last message arrives
	blockedAt  time.Duration // since when a cut holds it up; 0: none
	queue      []packet
	pumping    bool
	terminated bool
}

type packet struct {
	at      time.Duration
	message any
}

// Partition puts hosts on a side of their own: nothing passes between sides.
func (n *Network) Partition(side int, hosts ...int) {
	for _, h := range hosts {
		n.side[h] = side
	}
}

// Cut lets nothing pass from one host to another; the other direction stays.
func (n *Network) Cut(from, to int) { n.cut[[2]int{from, to}] = true }

// Heal ends all partitions and cuts.
func (n *Network) Heal() {
	clear(n.side)
	clear(n.cut)
}

// Blocked reports whether nothing passes from one host to another.
func (n *Network) Blocked(from, to int) bool {
	return n.side[from] != n.side[to] || n.cut[[2]int{from, to}]
}

// Latency returns a random latency of one way.
func (n *Network) Latency() time.Duration {
	return n.LatencyMin + time.Duration(n.world.Rand.Int64N(int64(n.LatencyMax-n.LatencyMin)+1))
}

// maxRetransmission bounds how long a message is late because packets were lost; after it TCP's timer has backed off so far that
// programs give up.
const maxRetransmission = 3 * time.Second

// retransmitDelay returns the delay that lost packets cause.
func (n *Network) retransmitDelay() time.Duration {
	var d time.Duration
	for wait := 200 * time.Millisecond; n.Loss > 0 && wait <= maxRetransmission/2 && n.world.Rand.Float64() < n.Loss; wait *= 2 {
		d += wait
	}
	return d
}

// Send sends a message on the stream between the two processes, which begins with its first message.
func (n *Network) Send(from, to *Host, message any) {
	w := n.world
	key := [2]int{from.Index, to.Index}
	s := n.streams[key]
	if s == nil || s.terminated || s.lives[0] != from.life {
		s = &direction{from: from, to: to, lives: [2]int{from.life, to.life}}
		n.streams[key] = s
		s.last = w.Now + 2*n.Latency() // the handshake
	}
	if n.Break > 0 && w.Rand.Float64() < n.Break {
		n.endStream(s, n.Latency())
		return
	}
	s.last = max(s.last, w.Now+n.Latency()+n.retransmitDelay())
	s.queue = append(s.queue, packet{s.last, message})
	n.scheduleAdvance(s, s.last-w.Now)
}

func (n *Network) scheduleAdvance(s *direction, d time.Duration) {
	if !s.pumping && !s.terminated {
		s.pumping = true
		n.world.After(d, nil, func() {
			s.pumping = false
			n.deliverArrived(s)
		})
	}
}

// deliverArrived delivers what has arrived; over a cut it tries again, and gives the stream up in the end.
func (n *Network) deliverArrived(s *direction) {
	w := n.world
	if s.terminated || len(s.queue) == 0 {
		return
	}
	if n.Blocked(s.from.Index, s.to.Index) {
		if s.blockedAt == 0 {
			s.blockedAt = w.Now
		}
		if w.Now-s.blockedAt >= n.GiveUp {
			n.endStream(s, 0)
			return
		}
		n.scheduleAdvance(s, 200*time.Millisecond)
		return
	}
	s.blockedAt = 0
	if !s.to.running || s.to.life != s.lives[1] {
		n.endStream(s, n.Latency()) // the host refuses it
		return
	}
	for len(s.queue) > 0 && s.queue[0].at <= w.Now {
		message := s.queue[0].message
		s.queue = s.queue[1:]
		w.After(0, s.to, func() { n.Deliver(s.from, s.to, message) })
	}
	if len(s.queue) > 0 {
		n.scheduleAdvance(s, max(0, s.queue[0].at-w.Now))
	}
}

// endStream ends a stream: what is on its way is lost, and the sender is notified after d.
func (n *Network) endStream(s *direction, d time.Duration) {
	s.terminated, s.queue = true, nil
	if s.from.running && s.from.life == s.lives[0] {
		n.world.After(d, s.from, func() { n.Broken(s.from, s.to) })
	}
}

// endStreamsOf ends the streams of a process that ended, in both directions; across a cut its peers learn nothing.
func (n *Network) endStreamsOf(h *Host) {
	for i := range n.world.Hosts {
		if s := n.streams[[2]int{h.Index, i}]; s != nil {
			s.terminated, s.queue = true, nil
		}
		if s := n.streams[[2]int{i, h.Index}]; s != nil && !s.terminated && !n.Blocked(h.Index, i) {
			n.endStream(s, n.Latency())
		}
	}
}

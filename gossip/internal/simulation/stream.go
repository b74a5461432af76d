package simulation

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// stream is a connection: each direction reliable and ordered, like TCP. What is lost or meets a cut is sent again, later.
type stream struct {
	node   [2]*Node // 0 dialled
	life   [2]int
	link   [2]core.LinkID
	closed [2]bool
	hello  *core.LinkUp  // with which the listener takes the stream, once its first frame has come; nil: it did
	open   time.Duration // since when both ends have it
	dir    [2]direction  // from end i
}

type direction struct {
	out     sendQueue
	flying  int // bytes written and not read
	queue   []packet
	last    time.Duration
	backoff time.Duration
	pumping bool
}

type packet struct {
	at    time.Duration
	frame core.Frame // nil: the end of the stream
	size  int        // in bytes
}

func (s *stream) endOf(n *Node) int {
	if s.node[1] == n && !(s.node[0] == n) {
		return 1
	}
	return 0
}

func (s *stream) sendFrame(n *Node, f core.Frame) {
	i, w, b := s.endOf(n), n.world, frameSize(f)
	if s.closed[i] {
		return
	}
	kind := kindOf(f)
	for _, c := range []*Counters{&w.Count, &n.Count} {
		c.Messages++
		c.Bytes += b
	}
	w.Count.ByKind[kind] += b
	s.enqueue(i, packet{frame: f, size: b})
}

// kindOf is the name of a frame's type.
func kindOf(f core.Frame) string { return reflect.TypeOf(f).Elem().Name() }

// schedulePacket puts a packet that leaves at a moment on its way; none overtakes another.
func (s *stream) schedulePacket(i int, p packet, leaves time.Duration) {
	w, d := s.node[i].world, &s.dir[i]
	at := max(d.last, leaves+w.latency()+w.retransmitDelay())
	d.last, p.at = at, at
	d.queue = append(d.queue, p)
	if !d.pumping {
		d.pumping = true
		w.After(at-w.Now, nil, func() { s.deliverArrived(i) })
	}
}

// deliverArrived delivers what has arrived; over a cut it tries again later.
func (s *stream) deliverArrived(i int) {
	w, d := s.node[i].world, &s.dir[i]
	from, to := s.node[i], s.node[1-i]
	d.pumping = false
	if len(d.queue) == 0 {
		return
	}
	if w.isBlocked(from, to) {
		d.backoff = min(max(2*d.backoff, 200*time.Millisecond), 2*time.Second)
		d.pumping = true
		if s.closed[0] && s.closed[1] {
			return
		}
		w.After(d.backoff, nil, func() { s.deliverArrived(i) })
		return
	}
	d.backoff = 0
	for len(d.queue) > 0 && d.queue[0].at <= w.Now {
		if to.reads > 0 && to.readFree > w.Now {
			break
		}
		p := d.queue[0]
		d.queue = d.queue[1:]
		if to.reads > 0 {
			to.readFree = w.Now + transferTime(p.size, to.reads)
		}
		s.deliverPacket(i, p)
	}
	if len(d.queue) > 0 {
		d.pumping = true
		next := d.queue[0].at
		if to.reads > 0 {
			next = max(next, to.readFree)
		}
		w.After(max(0, next-w.Now), nil, func() { s.deliverArrived(i) })
	}
}

func (s *stream) deliverPacket(i int, p packet) {
	w := s.node[i].world
	to := s.node[1-i]
	if to.state == silent {
		return
	}
	if s.closed[1-i] || to.life != s.life[1-i] {
		if p.frame != nil {
			s.signalReset(i) // the host answers: no such stream
		}
		return
	}
	waits := w.occupyCPU(p.frame)
	w.After(waits, to, func() { // in the process, once it runs
		s.noteRead(i, p)
		if s.closed[1-i] || to.life != s.life[1-i] || to.state != running {
			return
		}
		if s.hello != nil && i == 0 && p.frame != nil {
			s.acceptLink()
		}
		if p.frame == nil {
			s.loseAt(1 - i)
			return
		}
		to.stepCore(core.Received{Link: s.link[1-i], Frame: p.frame, Waited: waits})
	})
}

// acceptLink has the listener use the stream, with the first frame of the node that dialled: one that sends none only wanted to know which
// node this is.
func (s *stream) acceptLink() {
	m, up := s.node[1], *s.hello
	up.Opened = m.world.Now - s.open
	s.hello, s.open = nil, m.world.Now
	m.streams[s.link[1]] = s
	m.stepCore(up)
}

// occupyCPU takes the processor for a frame, nil for the end of a stream, and returns how long that waits for it.
func (w *World) occupyCPU(f core.Frame) (waits time.Duration) {
	if w.Work == nil {
		return 0
	}
	begins := max(w.Now, w.free)
	if f != nil {
		w.free = begins + w.Work(f)
	}
	return begins - w.Now
}

// signalReset signals end i, if it can be reached, that the other end is gone.
func (s *stream) signalReset(i int) {
	n := s.node[i]
	w := n.world
	w.After(w.latency(), n, func() {
		if !w.isBlocked(s.node[1-i], n) && !s.closed[i] && n.life == s.life[i] && n.state == running {
			s.loseAt(i)
		}
	})
}

// loseAt makes end i see the end of the stream.
func (s *stream) loseAt(i int) {
	n := s.node[i]
	s.closed[i] = true
	if i == 1 && s.hello != nil {
		return
	}
	delete(n.streams, s.link[i])
	n.stepCore(core.LinkDown{Link: s.link[i]})
}

// closeEnd closes one end: gracefully after what was sent before, else with a reset.
func (s *stream) closeEnd(n *Node, graceful bool) {
	i := s.endOf(n)
	s.closed[i] = true
	delete(n.streams, s.link[i])
	if graceful {
		s.enqueue(i, packet{})
		return
	}
	s.dir[i].out = sendQueue{}
	if !n.world.isBlocked(n, s.node[1-i]) {
		s.signalReset(1 - i)
	}
}

func (n *Node) sortedStreams() []*stream {
	var out []*stream
	for _, id := range slices.Sorted(maps.Keys(n.streams)) {
		out = append(out, n.streams[id])
	}
	return out
}

// startDial opens a stream: two round trips for TCP and TLS, then the listener's queue.
func (n *Node) startDial(d core.Dial) {
	w := n.world
	w.Count.Dials++
	n.Count.Dials++
	a := &dialAttempt{from: n, life: n.life, Dial: d}
	for _, m := range w.Nodes {
		if m.Addr == d.Addr {
			a.to = m
		}
	}
	w.After(w.Core.DialTimeout, n, func() { a.failDial(false) })
	a.sendHandshake(time.Second)
}

type dialAttempt struct {
	core.Dial
	from, to *Node
	life     int
	done     bool
}

func (a *dialAttempt) failDial(refused bool) {
	if !a.done && a.from.life == a.life {
		a.done = true
		a.from.stepCore(core.DialFailed{Attempt: a.Attempt, Refused: refused})
	}
}

// sendHandshake sends the first packet; if nothing comes back, again after a second, then after two more.
func (a *dialAttempt) sendHandshake(again time.Duration) {
	w := a.from.world
	if a.done || a.from.life != a.life {
		return
	}
	switch {
	case a.to == nil && w.refused[a.Addr]:
		w.After(w.latency()+w.latency(), a.from, func() { a.failDial(true) })
	case a.to == nil || a.to.state == silent || w.isBlocked(a.from, a.to) || w.isBlocked(a.to, a.from) || w.drawLoss() || w.drawLoss():
		w.After(again, nil, func() { a.sendHandshake(2 * again) })
	case a.to.state == dead && !a.to.slams:
		w.After(w.latency()+w.latency(), a.from, func() { a.failDial(true) })
	default:
		d := w.latency() + w.latency() + w.latency() + w.latency() + w.retransmitDelay() + w.retransmitDelay()
		a.to.busy = max(a.to.busy, w.Now+d) + a.to.accept
		if a.to.slams {
			w.After(a.to.busy-w.Now, nil, a.breakHandshake)
			return
		}
		w.After(a.to.busy-w.Now, a.to, a.finishHandshake)
	}
}

// newStream returns a new stream that n dialled.
func (w *World) newStream(n, m *Node) *stream {
	w.links += 2
	return &stream{node: [2]*Node{n, m}, life: [2]int{n.life, m.life}, link: [2]core.LinkID{core.LinkID(w.links - 1), core.LinkID(w.links)}}
}

// finishHandshake ends the handshake, at the dialler: the listener has a link only with the first frame, see acceptLink.
func (a *dialAttempt) finishHandshake() {
	n, m := a.from, a.to
	w := n.world
	if a.done || m.state != running || w.isBlocked(n, m) || w.isBlocked(m, n) {
		return // the time of the dial runs out
	}
	s := w.newStream(n, m)
	s.open = w.Now
	s.hello = &core.LinkUp{Link: s.link[1], ID: n.ID, Generation: n.generation, Addr: n.Addr, Clock: n.clockTime().UnixMilli(), Rejoin: n.Rejoin, Aged: n.Core.Aged(), Since: n.Core.Since()}
	up := core.LinkUp{Link: s.link[0], ID: m.ID, Generation: m.generation, Addr: m.Addr, Attempt: a.Attempt, Dialled: true, Clock: m.clockTime().UnixMilli(), Rejoin: m.Rejoin, Aged: m.Core.Aged(), Since: m.Core.Since()}
	b := 2*header + 60 + len(n.ID) + len(m.ID)
	w.Count.Bytes += b
	w.Count.Messages += 2
	w.Count.ByKind["Hello"] += b
	w.After(w.latency(), n, func() {
		if a.done || n.life != a.life || n.state != running {
			return
		}
		a.done = true
		n.streams[s.link[0]] = s
		n.stepCore(up)
	})
}

// breakHandshake ends a handshake with a host that breaks the stream at once.
func (a *dialAttempt) breakHandshake() {
	n, m := a.from, a.to
	w := n.world
	if a.done || n.life != a.life || n.state != running || w.isBlocked(n, m) || w.isBlocked(m, n) {
		return // the time of the dial runs out
	}
	a.done = true
	s := w.newStream(n, m)
	s.closed[1] = true
	n.streams[s.link[0]] = s
	n.stepCore(core.LinkUp{Link: s.link[0], ID: m.ID, Generation: m.generation, Addr: m.Addr, Attempt: a.Attempt, Dialled: true, Clock: m.clockTime().UnixMilli()})
	s.signalReset(0)
}

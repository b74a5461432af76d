package simulation

import (
	"time"

	"github.com/goconvoke/convoke/gossip/internal/core"
)

// window is how many bytes may be on their way in one direction of a stream without having been read: the buffers of both hosts.
const window = 256 << 10

// sendQueue holds what one end of a stream has not written yet. Beats overtake data; the end of the stream and a Bye keep their
// place. Data that finds no room is dropped and counted, or ends the stream, see Settings.QueueFrames.
type sendQueue struct {
	beats, data []packet
	bytes       int           // of data
	freeAt      time.Duration // when the last frame written has left
	waking      bool
}

func (q *sendQueue) empty() bool { return len(q.beats)+len(q.data) == 0 }

func (q *sendQueue) pop() packet {
	from := &q.beats
	if len(*from) == 0 {
		from = &q.data
		q.bytes -= q.data[0].size
	}
	p := (*from)[0]
	*from = (*from)[1:]
	return p
}

// isDroppable reports whether a frame may be lost when the queue is full: what the hashes on later heartbeats find again.
func isDroppable(f core.Frame) bool {
	switch f.(type) {
	case nil, *core.Beat, *core.Bye:
		return false
	}
	return true
}

// enqueue writes a frame, now if the stream takes it, else when it does.
func (s *stream) enqueue(i int, p packet) {
	w, q := s.node[i].world, &s.dir[i].out
	if q.empty() && s.canWrite(i) {
		s.writeFrame(i, p)
		return
	}
	if _, beat := p.frame.(*core.Beat); beat && w.QueueFrames == 0 {
		q.beats = append(q.beats, p)
		s.scheduleDrain(i)
		return
	}
	switch {
	case w.QueueFrames > 0 && len(q.data) >= w.QueueFrames && p.frame != nil:
		s.closeOverflowed(i)
		return
	case w.QueueFrames == 0 && q.bytes+p.size > w.QueueBytes && isDroppable(p.frame):
		w.Count.Dropped++
		return
	}
	q.data = append(q.data, p)
	q.bytes += p.size
	s.scheduleDrain(i)
}

func (s *stream) canWrite(i int) bool {
	d := &s.dir[i]
	return d.flying < window && d.out.freeAt <= s.node[i].world.Now
}

// writeFrame puts a frame on the wire.
func (s *stream) writeFrame(i int, p packet) {
	w, d := s.node[i].world, &s.dir[i]
	d.out.freeAt = max(w.Now, d.out.freeAt)
	if w.Bandwidth > 0 {
		d.out.freeAt += transferTime(p.size, w.Bandwidth)
	}
	d.flying += p.size
	s.schedulePacket(i, p, d.out.freeAt)
}

// transferTime is how long some bytes take at a rate in bytes per second.
func transferTime(bytes, rate int) time.Duration {
	return time.Duration(float64(bytes) / float64(rate) * float64(time.Second))
}

// scheduleDrain writes on when the last frame has left; while the window is full, the reader does.
func (s *stream) scheduleDrain(i int) {
	w, q := s.node[i].world, &s.dir[i].out
	if q.waking || q.freeAt <= w.Now {
		return
	}
	q.waking = true
	w.After(q.freeAt-w.Now, nil, func() {
		q.waking = false
		s.drain(i)
	})
}

// drain writes what the stream takes.
func (s *stream) drain(i int) {
	q := &s.dir[i].out
	for !q.empty() && s.canWrite(i) {
		s.writeFrame(i, q.pop())
	}
	if !q.empty() {
		s.scheduleDrain(i)
	}
}

// noteRead notes that a frame of end i was read at the other end.
func (s *stream) noteRead(i int, p packet) {
	s.dir[i].flying -= p.size
	s.drain(i)
}

// closeOverflowed closes the stream at end i, whose process learns of it as of any other end.
func (s *stream) closeOverflowed(i int) {
	n := s.node[i]
	w, life := n.world, n.life
	w.Count.Overflows++
	s.closeEnd(n, false)
	w.After(0, n, func() {
		if n.life == life && n.state == running {
			n.stepCore(core.LinkDown{Link: s.link[i]})
		}
	})
}

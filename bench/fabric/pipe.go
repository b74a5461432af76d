package fabric

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

var errReset = errors.New("connection reset by peer")

const (
	// firstRetry is how long a stream waits before it sends a packet again; each further wait doubles, up to lastRetry.
	firstRetry = 200 * time.Millisecond
	lastRetry  = 120 * time.Second
	// window is how many bytes a stream holds that were written and not read; the writer of more waits.
	window = 4 << 20
	// chunk is the most that is sent at once, so that streams share a line.
	chunk = 64 << 10
	// maxQueued is how far ahead of its line a stream may write, as with the small queues of Linux.
	maxQueued = time.Millisecond
)

// pipe is one direction of a stream.
type pipe struct {
	net      *Fabric
	from, to int
	reverse  *pipe // the other direction

	mu       sync.Mutex
	flying   []parcel // in the order of arrival; a timer is set for the first
	inFlight int
	retry    time.Duration // the present wait of a retransmission; 0: none
	ready    []byte        // arrived and not read
	readErr  error         // after what is ready
	sendErr  error
	closed   bool          // its reader has ended
	deadline time.Time     // of reads
	wake     chan struct{} // of the reader, a mailbox of one

	writing  chan struct{} // held by the one write that is under way
	room     chan struct{} // wakes that write, a mailbox of one
	writeBy  time.Time     // deadline of writes
	lineFree time.Time     // when the next chunk may be sent
}

// parcel is what one write sent; no bytes: the end.
type parcel struct {
	bytes []byte
	at    time.Time
}

func newPipe(f *Fabric, from, to int) *pipe {
	return &pipe{net: f, from: from, to: to, wake: make(chan struct{}, 1), writing: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// wakeBoth wakes the reader and the writer.
func (p *pipe) wakeBoth() {
	for _, mailbox := range []chan struct{}{p.wake, p.room} {
		select {
		case mailbox <- struct{}{}:
		default:
		}
	}
}

// write sends all of b, chunk by chunk, and waits while the window is full or the line busy.
func (p *pipe) write(b []byte) (int, error) {
	p.writing <- struct{}{}
	defer func() { <-p.writing }()
	for sent := 0; ; {
		n, until, err := p.sendChunk(b[sent:])
		sent += n
		if err != nil || sent == len(b) {
			return sent, err
		}
		if n == 0 {
			await(p.room, until)
		}
	}
}

// sendChunk sends the next chunk. If it cannot, it returns 0 and until when to wait at most.
func (p *pipe) sendChunk(b []byte) (n int, until time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	switch {
	case p.sendErr != nil || len(b) == 0:
		return 0, now, p.sendErr
	case !p.writeBy.IsZero() && !now.Before(p.writeBy):
		return 0, now, os.ErrDeadlineExceeded
	case p.inFlight+len(p.ready) >= window:
		return 0, p.writeBy, nil
	case now.Before(p.lineFree):
		if p.writeBy.IsZero() || p.lineFree.Before(p.writeBy) {
			return 0, p.lineFree, nil
		}
		return 0, p.writeBy, nil
	}
	n = min(len(b), chunk)
	p.sendParcel(append([]byte(nil), b[:n]...))
	return n, now, nil
}

// sendEnd sends the end.
func (p *pipe) sendEnd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sendErr == nil {
		p.sendParcel(nil)
		p.sendErr = net.ErrClosed
		p.wakeBoth()
	}
}

// sendParcel sends a parcel. mu is held.
func (p *pipe) sendParcel(b []byte) {
	travel, queued := p.net.launch(p.from, p.to, len(b))
	at := time.Now().Add(travel)
	p.lineFree = time.Now().Add(queued - maxQueued)
	if n := len(p.flying); n > 0 && at.Before(p.flying[n-1].at) {
		at = p.flying[n-1].at
	}
	p.flying = append(p.flying, parcel{b, at})
	p.inFlight += len(b)
	if len(p.flying) == 1 {
		time.AfterFunc(time.Until(at), p.landArrived)
	}
}

// launch counts a write and returns how long it travels, and for how long the line of its sender is busy.
func (f *Fabric) launch(from, to, n int) (travel, queued time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.members[from].counters
	c.Segments += uint64((n + segmentSize - 1) / segmentSize)
	c.StreamBytes += uint64(n)
	travel, queued = f.useLine(from, to, n)
	travel += f.latency()
	for again := firstRetry; f.isLost(); again *= 2 {
		travel += again
	}
	return travel, queued
}

// landArrived takes in what has arrived, and sets the timer for what has not.
func (p *pipe) landArrived() {
	fate, wait := p.net.fate(p.from, p.to)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case fate == stops:
		p.retry = min(max(2*p.retry, firstRetry), lastRetry)
		wait = p.retry
	case fate == bounces || p.closed && fate == arrives:
		p.failSender()
	case fate == arrives:
		p.retry = 0
		p.takeDue()
	}
	if len(p.flying) == 0 || p.closed && p.sendErr != nil { // nothing is on its way, or no end waits for it
		return
	}
	time.AfterFunc(max(wait, time.Until(p.flying[0].at)), p.landArrived)
}

// takeDue makes readable what is due. mu is held.
func (p *pipe) takeDue() {
	for len(p.flying) > 0 && !p.flying[0].at.After(time.Now()) {
		b := p.flying[0].bytes
		p.flying = p.flying[1:]
		p.inFlight -= len(b)
		p.ready = append(p.ready, b...)
		if b == nil && p.readErr == nil {
			p.readErr = io.EOF
		}
	}
	p.wakeBoth()
}

// failSender fails the sender because there is no reader, after all that was sent to it. mu is held.
func (p *pipe) failSender() {
	p.flying, p.inFlight = nil, 0
	if p.sendErr == nil {
		p.sendErr = errReset
		p.wakeBoth()
		time.AfterFunc(maxLatency, func() { p.reverse.fail(errReset) })
	}
}

func (p *pipe) read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		if !p.closed && len(p.ready) > 0 {
			n := copy(b, p.ready)
			p.ready = p.ready[n:]
			p.wakeBoth()
			p.mu.Unlock()
			return n, nil
		}
		err, deadline := p.readErr, p.deadline
		p.mu.Unlock()
		switch {
		case err != nil:
			return 0, err
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return 0, os.ErrDeadlineExceeded
		}
		await(p.wake, deadline)
	}
}

// await waits for news, at most until a deadline; the zero time is none.
func await(news <-chan struct{}, deadline time.Time) {
	if deadline.IsZero() {
		<-news
		return
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-news:
	case <-t.C:
	}
}

// expireReads sets the deadline of reads.
func (p *pipe) expireReads(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	p.wakeBoth()
}

// expireWrites sets the deadline of writes.
func (p *pipe) expireWrites(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writeBy = t
	p.wakeBoth()
}

// endReading ends the reading side.
func (p *pipe) endReading(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.readErr = true, err
	p.wakeBoth()
}

// endSending ends the sending side without a frame to the other end.
func (p *pipe) endSending(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sendErr = err
	p.wakeBoth()
}

// fail breaks the pipe for both sides.
func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readErr == nil {
		p.readErr = err
	}
	if p.sendErr == nil {
		p.sendErr = err
	}
	p.wakeBoth()
}

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
	// maxInFlight is how many bytes may be on their way before the stream breaks. No engine comes near it.
	maxInFlight = 16 << 20
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
	closed   bool // nobody reads any more
	deadline time.Time
	wake     chan struct{} // of the reader, a mailbox of one
}

// parcel is what one write sent; no bytes: the end.
type parcel struct {
	bytes []byte
	at    time.Time
}

func newPipe(f *Fabric, from, to int) *pipe {
	return &pipe{net: f, from: from, to: to, wake: make(chan struct{}, 1)}
}

func (p *pipe) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inFlight+len(b) > maxInFlight {
		p.sendErr = errReset
	}
	if p.sendErr != nil || len(b) == 0 {
		return 0, p.sendErr
	}
	p.launch(append([]byte(nil), b...))
	return len(b), nil
}

// finish sends the end.
func (p *pipe) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sendErr == nil {
		p.launch(nil)
		p.sendErr = net.ErrClosed
	}
}

// launch sends a parcel. mu is held.
func (p *pipe) launch(b []byte) {
	at := time.Now().Add(p.net.launch(p.from, len(b)))
	if n := len(p.flying); n > 0 && at.Before(p.flying[n-1].at) {
		at = p.flying[n-1].at
	}
	p.flying = append(p.flying, parcel{b, at})
	p.inFlight += len(b)
	if len(p.flying) == 1 {
		time.AfterFunc(time.Until(at), p.land)
	}
}

// launch counts a write and returns how long it travels.
func (f *Fabric) launch(from, n int) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.members[from].counters
	c.Segments += uint64((n + segmentSize - 1) / segmentSize)
	c.StreamBytes += uint64(n)
	d := f.latency()
	for again := firstRetry; f.lost(); again *= 2 {
		d += again
	}
	return d
}

// land takes in what has arrived, and sets the timer for what has not.
func (p *pipe) land() {
	fate, wait := p.net.fate(p.from, p.to)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case fate == stops:
		p.retry = min(max(2*p.retry, firstRetry), lastRetry)
		wait = p.retry
	case fate == bounces || p.closed && fate == arrives:
		p.bounce()
	case fate == arrives:
		p.retry = 0
		p.take()
	}
	if len(p.flying) == 0 || p.closed && p.sendErr != nil { // nothing to come, or nobody to care
		return
	}
	time.AfterFunc(max(wait, time.Until(p.flying[0].at)), p.land)
}

// take makes readable what is due. mu is held.
func (p *pipe) take() {
	for len(p.flying) > 0 && !p.flying[0].at.After(time.Now()) {
		b := p.flying[0].bytes
		p.flying = p.flying[1:]
		p.inFlight -= len(b)
		p.ready = append(p.ready, b...)
		if b == nil && p.readErr == nil {
			p.readErr = io.EOF
		}
	}
	p.poke()
}

// bounce has the sender learn that nobody reads, after all that was sent to it. mu is held.
func (p *pipe) bounce() {
	p.flying, p.inFlight = nil, 0
	if p.sendErr == nil {
		p.sendErr = errReset
		time.AfterFunc(maxLatency, func() { p.reverse.fail(errReset) })
	}
}

func (p *pipe) read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		if !p.closed && len(p.ready) > 0 {
			n := copy(b, p.ready)
			p.ready = p.ready[n:]
			p.mu.Unlock()
			return n, nil
		}
		err, deadline := p.readErr, p.deadline
		p.mu.Unlock()
		if err != nil {
			return 0, err
		}
		if err := p.wait(deadline); err != nil {
			return 0, err
		}
	}
}

// wait waits for news, at most until the deadline.
func (p *pipe) wait(deadline time.Time) error {
	if deadline.IsZero() {
		<-p.wake
		return nil
	}
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	select {
	case <-p.wake:
		return nil
	case <-t.C:
		return os.ErrDeadlineExceeded
	}
}

// expire sets the deadline of reads.
func (p *pipe) expire(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	p.poke()
}

// refuse ends the reading side.
func (p *pipe) refuse(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed, p.readErr = true, err
	p.poke()
}

// abandon ends the sending side without a word.
func (p *pipe) abandon(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sendErr = err
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
	p.poke()
}

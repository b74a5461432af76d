package reconcile

import (
	"errors"
	"math"
	"time"

	"github.com/goconvoke/convoke/connector"
)

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	spread     = 0.5 // backoffs are ±50 %, so that two sides of a heal do not dial in step
	// A peer that stays unreachable is reported again after this time.
	reportEvery = 10 * time.Minute
)

// dial is the state of the attempts to reach one peer.
type dial struct {
	inFlight bool
	attempts int // since it was last seen connected
	ok       bool
	next     time.Time // not before
	err      error     // of the last attempt
	foreign  bool
	reported time.Time
}

// Outcome says what is worth telling about a finished dial.
type Outcome struct {
	Report  bool // a failure that is new, or was last reported long ago
	Foreign bool // the first sign that the peer belongs to another cluster
	Self    bool // the address turned out to be this node's own
}

// Dialed takes the result of a dial that Round asked for.
func (l *Ledger) Dialed(addr string, err error, now time.Time) Outcome {
	l.inFlight--
	return l.Returned(addr, err, now)
}

// Overdue takes note of a dial that does not return although its deadline has passed. It no
// longer counts among those that run; the peer is not dialled again before Returned.
func (l *Ledger) Overdue(addr string, err error) {
	l.inFlight--
	if r := l.rows[addr]; r != nil {
		r.dial.err = err
	}
}

// Returned takes the result of a dial that was Overdue.
func (l *Ledger) Returned(addr string, err error, now time.Time) Outcome {
	if errors.Is(err, connector.ErrSelf) {
		l.learnSelf(addr)
		return Outcome{Self: true}
	}
	r := l.rows[addr]
	if r == nil {
		return Outcome{}
	}
	r.dial.inFlight = false
	if r.wanted == 0 {
		return Outcome{}
	}
	return r.dial.finish(l, err, now)
}

// finish counts an attempt and sets the time of the next.
func (d *dial) finish(l *Ledger, err error, now time.Time) (o Outcome) {
	d.attempts++
	d.ok, d.err = err == nil, err
	d.next = now.Add(l.backoff(d.attempts))
	if err == nil {
		return o
	}
	if errors.Is(err, connector.ErrForeign) {
		o.Foreign = !d.foreign
		d.foreign = true
		d.next = now.Add(l.jitter(maxBackoff))
	}
	if d.reported.IsZero() || now.Sub(d.reported) >= reportEvery {
		d.reported = now
		o.Report = true
	}
	return o
}

// Dropped takes the result of a drop that Round asked for. A failed one is tried again in a
// later round.
func (l *Ledger) Dropped(addr string, err error, now time.Time) {
	r := l.rows[addr]
	if r == nil {
		return
	}
	r.dropping = false
	if err != nil {
		l.dropped = max(0, l.dropped-1)
		r.dial.attempts++
		r.dial.next = now.Add(l.backoff(r.dial.attempts))
		r.dial.err = err
	}
}

// backoff returns the time to the next attempt: 1 s doubling to 30 s, ±50 %.
func (l *Ledger) backoff(attempts int) time.Duration {
	d := maxBackoff
	if attempts <= 5 {
		d = minBackoff << (attempts - 1)
	}
	return l.jitter(min(d, maxBackoff))
}

func (l *Ledger) jitter(d time.Duration) time.Duration {
	return d + time.Duration((2*l.rand.Float64()-1)*spread*float64(d))
}

// contacts returns how many dials may run at once: 8; for a connector that gossips, of n
// wanted peers, at most ⌈log2(n+1)⌉, because one contact brings the rest.
func (l *Ledger) contacts(n int) int {
	if !l.gossips {
		return ParallelDials
	}
	return min(ParallelDials, max(1, int(math.Ceil(math.Log2(float64(n+1))))))
}

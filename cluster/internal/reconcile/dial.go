package reconcile

import (
	"errors"
	"math"
	"time"

	"github.com/goconvoke/convoke/connector"
	"github.com/goconvoke/convoke/internal/backoff"
)

const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
	// Drops are repeated more rarely than dials, because a connection too many does no harm.
	maxDropBackoff = 5 * time.Minute
	spread         = 0.5 // backoffs are ±50 %, so that two sides of a heal do not dial in step
	// A peer that stays unreachable is reported again after this time.
	reportEvery = 10 * time.Minute
)

// dialState is the state of the attempts to reach one peer.
type dialState struct {
	inFlight bool
	attempts int // since it was last seen connected
	ok       bool
	next     time.Time // not before
	err      error     // of the last attempt
	foreign  bool
	reported time.Time

	unlisted     int  // successes in a row after which the list did not show the peer
	unlistedSeen bool // reported
}

// dropState is the state of the attempts to disconnect one peer that is no longer wanted.
type dropState struct {
	running  bool
	attempts int       // calls that have returned while the peer was listed
	returned int       // those of them that returned nil
	next     time.Time // not before
	err      error     // of the last call
	reported bool
}

// ErrUnlisted is the state of a peer whose dials succeed although the list does not show it.
var ErrUnlisted = errors.New("connect succeeds, but the list shows neither its address nor its ID; " +
	"List must return the address that was dialled, or the ID of the peer")

var errStillListed = errors.New("disconnect succeeds, but the list still shows the peer")

// Outcome is what to report of a finished dial or drop.
type Outcome struct {
	Report  bool  // a failure that is new, or was last reported long ago
	Err     error // what to report of a drop; it may be an error although the call returned nil
	Foreign bool  // the first sign that the peer belongs to another cluster
	Self    bool  // the address turned out to be this node's own
}

// Dialed takes the result of a dial that Round asked for.
func (l *Ledger) Dialed(addr string, err error, now time.Time) Outcome {
	l.inFlight--
	return l.Returned(addr, err, now)
}

// Overran records a dial that did not return by its deadline. It no longer counts among those that run, so that dials that hang for good
// do not stop all others; the peer is not dialled again before Returned.
func (l *Ledger) Overran(addr string, err error) {
	l.inFlight--
	if s := l.peers[addr]; s != nil {
		s.dial.err = err
	}
}

// Returned takes the result of a dial after Overran.
func (l *Ledger) Returned(addr string, err error, now time.Time) Outcome {
	if errors.Is(err, connector.ErrSelf) {
		l.learnSelf(addr)
		return Outcome{Self: true}
	}
	s := l.peers[addr]
	if s == nil {
		return Outcome{}
	}
	s.dial.inFlight = false
	if s.wanted == 0 {
		return Outcome{}
	}
	return s.dial.finishAttempt(l, err, now)
}

// finishAttempt counts an attempt and sets the time of the next.
func (d *dialState) finishAttempt(l *Ledger, err error, now time.Time) (o Outcome) {
	d.attempts++
	d.ok, d.err = err == nil, err
	d.next = now.Add(l.backoff(d.attempts, maxBackoff))
	if err == nil {
		if d.unlisted++; d.unlistedSeen {
			d.err = ErrUnlisted
		}
		return o
	}
	d.unlisted = 0
	if errors.Is(err, connector.ErrForeign) || errors.Is(err, connector.ErrUntrusted) {
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

// neverListed reports, once, that dials succeed and the list does not show the peer. The second one
// decides, because a list may lag behind the first. Where the connector gossips, a peer may be any
// address that leads into the cluster, so that the list need not show it.
func (d *dialState) neverListed(gossips bool) bool {
	if gossips || d.unlisted < 2 || d.unlistedSeen {
		return false
	}
	d.unlistedSeen, d.err = true, ErrUnlisted
	return true
}

// Dropped takes the result of a drop that Round asked for. A failed one is tried again after a
// backoff that grows for as long as the peer is not wanted: nothing depends on it. One that
// succeeded counts as failed when the list still shows the peer at the next attempt.
func (l *Ledger) Dropped(addr string, err error, now time.Time) Outcome {
	s := l.peers[addr]
	if s == nil {
		return Outcome{}
	}
	d := &s.drop
	if d.running = false; s.wanted > 0 {
		return Outcome{}
	}
	d.attempts++
	d.next = now.Add(l.backoff(d.attempts, maxDropBackoff))
	if err == nil {
		if soon := now.Add(Interval); d.next.Before(soon) {
			d.next = soon // the list may lag behind
		}
		if d.returned++; d.returned > 1 {
			err = errStillListed
		}
	}
	if d.err = err; err == nil {
		return Outcome{}
	}
	l.dropped = max(0, l.dropped-1) // it took no peer away, so another one may go in its place
	first := !d.reported
	d.reported = true
	return Outcome{Report: first, Err: err}
}

// backoff returns the time to the next attempt: 1 s doubling to most, ±50 %.
func (l *Ledger) backoff(attempts int, most time.Duration) time.Duration {
	return l.jitter(backoff.Doubling(minBackoff, most, attempts))
}

func (l *Ledger) jitter(d time.Duration) time.Duration { return backoff.Jitter(l.rand, d, spread) }

// maxDials returns how many dials may run at once: 8; for a connector that gossips, of n
// wanted peers, at most ⌈log2(n+1)⌉, because one contact brings the rest.
func (l *Ledger) maxDials(n int) int {
	if !l.gossips {
		return ParallelDials
	}
	return min(ParallelDials, max(1, int(math.Ceil(math.Log2(float64(n+1))))))
}

package cluster

import "time"

const (
	listTimeout = 10 * time.Second
	roundGap    = 50 * time.Millisecond // least time between rounds, so that changes come in batches
)

// schedule decides when the next round of a reconciler begins: when something has changed, and otherwise after the pause that the last round
// asked for, but never while a round runs or right after one.
type schedule struct {
	running bool      // a round has begun and not ended
	asked   bool      // something has changed since the last round began
	begun   time.Time // the last round
	rest    time.Time // no round before
	due     time.Time // a round at this time without any cause
}

// requestRound asks for a round as soon as possible.
func (s *schedule) requestRound() { s.asked = true }

// next returns when the next round begins; ok is false while one runs.
func (s *schedule) next() (at time.Time, ok bool) {
	if s.asked {
		return s.rest, !s.running
	}
	return s.due, !s.running
}

// begin begins a round. What is asked for from now on causes another one, since the list of this one may be older.
func (s *schedule) begin(now time.Time) {
	s.running, s.asked, s.begun = true, false, now
}

// end ends a round. The longer it took, the longer is the rest after it: 40 s at most.
func (s *schedule) end(now time.Time, pause time.Duration) {
	s.running = false
	s.rest = now.Add(max(roundGap, 4*min(now.Sub(s.begun), listTimeout)))
	s.due = s.rest.Add(pause)
}

const (
	publishGap   = 50 * time.Millisecond // least time between publications
	publishShare = 20                    // and at least so many times as long as the last one took: with many peers it takes milliseconds
)

// publication decides when what a loop knows is published: transitions at once, everything else in batches.
type publication struct {
	pending bool      // something has changed
	urgent  bool      // and must be published at once
	next    time.Time // not before
}

// due returns when to publish; ok is false if nothing has changed.
func (p *publication) due() (at time.Time, ok bool) {
	if p.urgent {
		return time.Time{}, true
	}
	return p.next, p.pending
}

// done records a publication that began and ended at these times.
func (p *publication) done(began, ended time.Time) {
	*p = publication{next: ended.Add(max(publishGap, publishShare*ended.Sub(began)))}
}

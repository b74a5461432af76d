package cluster

import "time"

const repeatFailure = 10 * time.Minute // after which the log has a failure that goes on again

// State is what a strategy is doing.
type State string

// The states of a strategy.
const (
	Starting   State = "starting" // no answer yet
	Running    State = "running"
	Restarting State = "restarting" // crashed, waits to be started again
	Failed     State = "failed"     // cannot work here; not restarted until its configuration changes
)

// source is what is known of the strategy of one topology, apart from the peers: those are in the ledger.
type source struct {
	state    State
	restarts int

	complete, partial, failed  uint64 // answers, incomplete answers, failures
	lastSet, lastAdd, lastFail time.Time

	err      error     // of lastFail; nil once a complete answer has followed
	reported time.Time // when the log last got a failure of the present series
	leaving  bool      // this node is no longer in the answers
}

// recordFailure records that there was no answer. It reports whether the one before was a complete answer, and whether the log gets a line:
// for the first failure, and every 10 minutes while there is no complete answer.
func (s *source) recordFailure(err error, now time.Time) (first, line bool) {
	first = s.err == nil
	s.failed++
	s.lastFail, s.err = now, err
	if line = first || now.Sub(s.reported) >= repeatFailure; line {
		s.reported = now
	}
	return first, line
}

// recordAnswer records a complete answer. It reports whether it follows a failure.
func (s *source) recordAnswer(now time.Time) (recovered bool) {
	s.complete++
	s.lastSet = now
	recovered = s.err != nil
	s.err = nil
	return recovered
}

// addTo adds what is known of the source to a status.
func (s *source) addTo(t *TopologyStatus) {
	t.State, t.Restarts, t.Err = s.state, s.restarts, s.err
	t.LastSet, t.LastAdd, t.LastFail = s.lastSet, s.lastAdd, s.lastFail
}

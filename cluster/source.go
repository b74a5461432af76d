package cluster

import "time"

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

	err      error // of lastFail; nil once a complete answer has followed
	failures pacer // of the lines about them
	logged   bool  // the present failure is in the log
	leaving  bool  // this node is no longer in the answers
}

// recordFailure records that there was no answer. It reports whether the one before was a complete answer, and whether a line for the log is
// due: at once for the first failure, ever more rarely for a source that fails again and again.
func (s *source) recordFailure(err error, now time.Time) (first, line bool) {
	due := s.failures.next()
	if first = s.err == nil; !first {
		due = s.failures.logged.Add(maxLogGap)
	}
	s.failed++
	s.lastFail, s.err = now, err
	if line = !now.Before(due); line {
		s.logged = true
		s.failures.passed(now)
	}
	return first, line
}

// recordAnswer records a complete answer. It reports whether it follows a failure, and whether that failure is in the log.
func (s *source) recordAnswer(now time.Time) (recovered, line bool) {
	s.complete++
	s.lastSet = now
	recovered, line = s.err != nil, s.err != nil && s.logged
	if recovered {
		s.err, s.logged = nil, false
	}
	return recovered, line
}

// addTo adds what is known of the source to a status.
func (s *source) addTo(t *TopologyStatus) {
	t.State, t.Restarts, t.Err = s.state, s.restarts, s.err
	t.LastSet, t.LastAdd, t.LastFail = s.lastSet, s.lastAdd, s.lastFail
}

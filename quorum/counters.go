package quorum

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/goconvoke/convoke/internal/hist"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Counters is what became of the requests of this member since Start: reads, writes and watches of the map, and what operators ask for. A request
// that is sent again, because no leader took it, counts again. Each number only grows.
type Counters struct {
	OK       uint64 // carried out
	Conflict uint64 // a key had changed in between; Map.Update and the like try again
	NoLeader uint64 // no leader took it in its time, or none is known
	Unknown  uint64 // it may or may not have been carried out, as when its leader was lost
	Refused  uint64 // for another reason, such as a limit
	// Time is how long requests took, whatever became of them.
	Time Durations
}

// Durations is a histogram of durations in buckets with fixed bounds. Its methods return the count, the sum, and the buckets.
type Durations = hist.Snapshot

// counters are Counters as they grow.
type counters struct {
	ok, conflict, noLeader, unknown, refused atomic.Uint64
	time                                     hist.Histogram
}

// Counters returns what has been counted up to now. It costs little and does not wait.
func (q *Quorum) Counters() Counters {
	c := &q.count
	return Counters{
		OK: c.ok.Load(), Conflict: c.conflict.Load(), NoLeader: c.noLeader.Load(), Unknown: c.unknown.Load(), Refused: c.refused.Load(),
		Time: c.time.Read(),
	}
}

// note counts a request that has ended.
func (c *counters) note(code core.Code, err error, elapsed time.Duration) {
	c.time.Observe(elapsed)
	if err == nil {
		err = codeError(code)
	} else {
		err = errors.Join(ErrUnknown, err) // it was sent, and its result was not awaited
	}
	switch {
	case err == nil:
		c.ok.Add(1)
	case errors.Is(err, ErrConflict):
		c.conflict.Add(1)
	case errors.Is(err, ErrNoLeader):
		c.noLeader.Add(1)
	case errors.Is(err, ErrUnknown):
		c.unknown.Add(1)
	default:
		c.refused.Add(1)
	}
}

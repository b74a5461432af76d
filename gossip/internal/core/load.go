package core

import "time"

// load is how far a node is behind: for how long what has arrived waits until a step takes it. A node that is behind makes fewer and
// larger steps of everything that can wait: pushes, publications, verdicts, rings, comparisons, and views. Otherwise being late makes
// more changes, each with its work, which makes it later, and an overload outlives its cause (Bronson et al., "Metastable failures in
// distributed systems", HotOS 2021). It also gives its neighbours more time before it takes them for silent: what they sent may be
// waiting here.
type load struct {
	lag     time.Duration
	notedAt time.Duration
}

const (
	// lagFloor is the wait up to which a node is not behind: what a busy scheduler does to an idle node.
	lagFloor = 5 * time.Millisecond
	// lagLeast is the least lag that is one.
	lagLeast = time.Millisecond
	// lagCap bounds the lag, so that a node that was stopped for long does not count as behind for long after it.
	lagCap = 2 * time.Second
	// lagFade is how long a lag takes to fade to a third after what made it is gone.
	lagFade = 500 * time.Millisecond
	// lagBulk is the lag from which on urgent changes leave over the tree only, as those do that are many and can wait.
	lagBulk = 5 * time.Millisecond
	// lagDoubles is the lag that doubles the time after which a link counts as silent.
	lagDoubles = 50 * time.Millisecond
	// strainedGap times Config.Relax is the least time between two publications of links that can wait, while this node or a neighbour
	// is behind: each costs every member of the cluster.
	strainedGap = 8
)

// recordDelay takes the wait of one input: a longer one counts at once, shorter ones as time passes.
func (l *load) recordDelay(waited, now time.Duration) {
	waited = min(max(0, waited-lagFloor), lagCap)
	passed := min(now-l.notedAt, lagFade)
	l.notedAt = now
	if waited >= l.lag {
		l.lag = waited
		return
	}
	l.lag -= time.Duration(float64(l.lag-waited) * float64(passed) / float64(lagFade))
	if l.lag < lagLeast {
		l.lag = 0
	}
}

// fade has the lag fade if no input has come for a while.
func (l *load) fade(now, heartbeat time.Duration) {
	if l.lag > 0 && now-l.notedAt > heartbeat {
		l.recordDelay(0, now)
	}
}

// silence is how long a link may stay silent that is closed after d if both ends keep up: what its peer sent may be waiting here, and
// what the peer has to send, there. It is at most three times the floor, as without lag.
func (l *load) silence(k *link, d, floor time.Duration) time.Duration {
	lag := float64(max(l.lag, k.lag)) / float64(lagDoubles)
	return max(d, min(d+time.Duration(lag*float64(floor)), 3*floor))
}

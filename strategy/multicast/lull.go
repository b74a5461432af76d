package multicast

import "time"

const (
	napping  = 500 * time.Millisecond // packets that arrive within it are read together
	napAbove = 10                     // packets in the last second, above which a receiver naps
	// napGap is how long a receiver must have waited for a packet to nap after it: a flood is read at once, or the buffer of
	// the kernel would overflow.
	napGap = 5 * time.Millisecond
	// napBelow is the number of packets in the last second from which on a receiver does not nap: half as many would wait in the buffer.
	// napRun is the number of packets without such a gap between them that show a flood: then it does not nap for floodLasts,
	// since on a busy host a flood has gaps too.
	napBelow   = 100
	napRun     = 16
	floodLasts = 2 * time.Second

	// arrivalsAtOnce is how many packets wait for the runner: what a nap collects from a busy cluster.
	arrivalsAtOnce = 64
)

// lull decides when a receiver lets packets collect before it reads on. To be woken for each of twenty packets a second costs a process
// many times what it does with them, and on one host every node is woken for each. In a small cluster no packet waits.
type lull struct {
	second        time.Time
	count, before int       // packets since second, and in the second before it
	run           int       // packets since the last gap
	flood         time.Time // when a flood was last seen
}

// due reports whether to let packets collect after one that was waited for from began to now.
func (l *lull) due(began, now time.Time) bool {
	if since := now.Sub(l.second); since >= time.Second {
		l.before = l.count
		if since >= 2*time.Second {
			l.before = 0
		}
		l.second, l.count = now, 0
	}
	l.count++
	if now.Sub(began) < napGap {
		if l.run++; l.run >= napRun {
			l.flood = now
		}
		return false
	}
	l.run = 0
	recent := max(l.before, l.count)
	return recent > napAbove && recent < napBelow && now.Sub(l.flood) >= floodLasts
}

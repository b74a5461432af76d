package multicast

import "time"

const (
	batchWindow = 500 * time.Millisecond // packets that arrive within it are read together
	batchAbove  = 10                     // packets in the last second, above which a receiver lets packets collect
	// batchGap is how long a receiver must have waited for a packet to let others collect after it: a flood is read at once, or the buffer of
	// the kernel would overflow.
	batchGap = 5 * time.Millisecond
	// batchBelow is the number of packets in the last second from which on a receiver reads at once: half as many would wait in the buffer.
	// floodRun is the number of packets without such a gap between them that show a flood: then a receiver reads at once for floodLasts,
	// since on a busy host a flood has gaps too.
	batchBelow = 100
	floodRun   = 16
	floodLasts = 2 * time.Second

	// receivedQueueSize is how many packets wait for the runner: what one batch collects from a busy cluster.
	receivedQueueSize = 64
)

// receiveBatcher decides when a receiver lets packets collect before it reads on. To be woken for each of twenty packets a second costs a process
// many times what it does with them, and on one host every node is woken for each. In a small cluster no packet waits.
type receiveBatcher struct {
	second        time.Time
	count, before int       // packets since second, and in the second before it
	run           int       // packets since the last gap
	flood         time.Time // when a flood was last seen
}

// shouldCollect reports whether to let packets collect after one that was waited for from began to now.
func (l *receiveBatcher) shouldCollect(began, now time.Time) bool {
	if since := now.Sub(l.second); since >= time.Second {
		l.before = l.count
		if since >= 2*time.Second {
			l.before = 0
		}
		l.second, l.count = now, 0
	}
	l.count++
	if now.Sub(began) < batchGap {
		if l.run++; l.run >= floodRun {
			l.flood = now
		}
		return false
	}
	l.run = 0
	recent := max(l.before, l.count)
	return recent > batchAbove && recent < batchBelow && now.Sub(l.flood) >= floodLasts
}

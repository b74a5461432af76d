package pacedlog

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

// run writes what is queued and what is due until the log is closed, and then everything that is left.
func (l *Log) run() {
	defer close(l.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.stop:
			l.flush(true)
			return
		case <-timer.C:
		case <-l.wake:
		}
		if next := l.flush(false); !next.IsZero() {
			timer.Reset(time.Until(next))
		}
	}
}

// flush writes what is queued and the lines of all kinds that are due, or all. It returns when the next is due; zero if none waits.
func (l *Log) flush(all bool) (next time.Time) {
	l.mu.Lock()
	lines, lost := l.lines, l.lost
	l.lines, l.lost = nil, 0
	due := l.kinds.take(time.Now(), all)
	next = l.kinds.due
	l.mu.Unlock()
	for _, one := range lines {
		l.write(one)
	}
	if lost > 0 {
		l.out.Warn("lines were not logged because the log was too slow", "count", lost)
	}
	for _, one := range due {
		l.write(one)
	}
	return next
}

func (l *Log) write(one line) {
	to := l.named[one.name]
	if to == nil {
		to = l.to(one.name)
		l.named[one.name] = to
	}
	to.Log(one.level, one.message, one.pairs...)
}

// to returns the logger behind the log for a part of the node.
func (l *Log) to(name string) hclog.Logger {
	if name == "" {
		return l.out
	}
	return l.out.Named(name)
}

var _ hclog.SinkAdapter = (*Log)(nil)

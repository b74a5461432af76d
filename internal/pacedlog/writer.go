package pacedlog

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

// writeDue queues the lines of all kinds that are due, and has it called again when the next is.
func (l *Log) writeDue() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.kinds.take(time.Now(), l.closed) {
		l.writeLocked(one)
	}
	l.armLocked()
}

// armLocked sets the timer to when the next line is due.
func (l *Log) armLocked() {
	switch due := l.kinds.due; {
	case due.IsZero():
		l.timer.Stop()
	case due != l.armed:
		l.timer.Reset(time.Until(due))
	}
	l.armed = l.kinds.due
}

// writeLocked queues a line. The queue never waits.
func (l *Log) writeLocked(one line) {
	to := l.named[one.name]
	if to == nil {
		to = l.out
		if one.name != "" {
			to = l.out.Named(one.name)
		}
		l.named[one.name] = to
	}
	l.queue.Add(to, one.level, one.message, one.pairs...)
}

var _ hclog.SinkAdapter = (*Log)(nil)

package gossip

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/logqueue"
)

// asyncLog passes lines to a logger through a queue: a log writer that blocks must not stop the loop, or the member would be down for
// the others.
type asyncLog struct {
	out   hclog.Logger
	queue logqueue.Queue
}

func newAsyncLog(out hclog.Logger) *asyncLog { return &asyncLog{out: out} }

// The messages are constant; what varies are pairs of a key and a value that does not change any more.

func (l *asyncLog) Trace(message string, pairs ...any) {
	if l.out.IsTrace() {
		l.queue.Add(l.out, hclog.Trace, message, pairs...)
	}
}

func (l *asyncLog) Debug(message string, pairs ...any) {
	if l.out.IsDebug() {
		l.queue.Add(l.out, hclog.Debug, message, pairs...)
	}
}

func (l *asyncLog) Info(message string, pairs ...any) {
	if l.out.IsInfo() {
		l.queue.Add(l.out, hclog.Info, message, pairs...)
	}
}

func (l *asyncLog) Warn(message string, pairs ...any) {
	if l.out.IsWarn() {
		l.queue.Add(l.out, hclog.Warn, message, pairs...)
	}
}

func (l *asyncLog) Error(message string, pairs ...any) {
	if l.out.IsError() {
		l.queue.Add(l.out, hclog.Error, message, pairs...)
	}
}

// flush waits until all lines are written, or for so long.
func (l *asyncLog) flush(limit time.Duration) { l.queue.Flush(limit) }

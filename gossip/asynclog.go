package gossip

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// maxLogLines bounds the lines that are not written yet: some seconds of the busiest log. Further ones are dropped and counted.
const maxLogLines = 1024

// maxLogBatch is how many lines leave the queue at a time.
const maxLogBatch = 32

// asyncLog passes lines to a logger from a goroutine of its own, which runs only while there are lines: a log writer that blocks, such
// as a full pipe, must not stop the loop, or the member would be down for the others. Lines keep their order.
type asyncLog struct {
	out hclog.Logger

	mu      sync.Mutex
	lines   []logLine
	dropped int
	idle    chan struct{} // closed when the goroutine has ended; nil: none runs
}

type logLine struct {
	level   hclog.Level
	message string
	pairs   []any
}

func newAsyncLog(out hclog.Logger) *asyncLog { return &asyncLog{out: out} }

// The messages are constant; what varies are pairs of a key and a value that does not change any more.

func (l *asyncLog) Trace(message string, pairs ...any) {
	if l.out.IsTrace() {
		l.enqueue(logLine{hclog.Trace, message, pairs})
	}
}

func (l *asyncLog) Debug(message string, pairs ...any) {
	if l.out.IsDebug() {
		l.enqueue(logLine{hclog.Debug, message, pairs})
	}
}

func (l *asyncLog) Info(message string, pairs ...any) {
	if l.out.IsInfo() {
		l.enqueue(logLine{hclog.Info, message, pairs})
	}
}

func (l *asyncLog) Warn(message string, pairs ...any) {
	if l.out.IsWarn() {
		l.enqueue(logLine{hclog.Warn, message, pairs})
	}
}

func (l *asyncLog) Error(message string, pairs ...any) {
	if l.out.IsError() {
		l.enqueue(logLine{hclog.Error, message, pairs})
	}
}

func (l *asyncLog) enqueue(line logLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) >= maxLogLines {
		l.dropped++
		return
	}
	l.lines = append(l.lines, line)
	if l.idle == nil {
		l.idle = make(chan struct{})
		go l.writeLines(l.idle) // flush waits for it
	}
}

// writeLines writes lines until none is left.
func (l *asyncLog) writeLines(idle chan struct{}) {
	defer close(idle)
	for {
		lines, dropped := l.takeLines()
		if len(lines) == 0 {
			return
		}
		for _, line := range lines {
			l.out.Log(line.level, line.message, line.pairs...)
		}
		if dropped > 0 {
			l.out.Warn("log lines were dropped, the log writer is too slow", "lines", dropped)
		}
	}
}

// takeLines returns the lines that are to be written, and how many were dropped behind them; none ends the goroutine.
func (l *asyncLog) takeLines() ([]logLine, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := l.lines[:min(len(l.lines), maxLogBatch)]
	if l.lines = l.lines[len(lines):]; len(l.lines) > 0 {
		return lines, 0
	}
	dropped := l.dropped
	l.lines, l.dropped = nil, 0
	if len(lines) == 0 {
		l.idle = nil
	}
	return lines, dropped
}

// flush waits until all lines are written, or for so long. A goroutine that a log writer blocks stays behind; it ends when the writer
// returns.
func (l *asyncLog) flush(limit time.Duration) {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle == nil {
		return
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

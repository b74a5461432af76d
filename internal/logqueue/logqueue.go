// Package logqueue passes lines to a logger from a goroutine of its own: a log writer that blocks, such as a full pipe, must not stop
// what logs.
package logqueue

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// maxLines bounds the lines that are not written yet: some seconds of the busiest log. Further ones are dropped and counted.
const maxLines = 1024

// maxBatch is how many lines leave the queue at a time.
const maxBatch = 32

// Queue keeps lines in their order until they are written. Its goroutine runs only while there are lines. The zero value is ready.
type Queue struct {
	mu      sync.Mutex
	lines   []line
	dropped int
	idle    chan struct{} // closed when the goroutine has ended; nil: none runs
}

type line struct {
	out     hclog.Logger
	level   hclog.Level
	message string
	pairs   []any
}

// Add has out log a line, later. The pairs must not change any more.
func (q *Queue) Add(out hclog.Logger, level hclog.Level, message string, pairs ...any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) >= maxLines {
		q.dropped++
		return
	}
	q.lines = append(q.lines, line{out, level, message, pairs})
	if q.idle == nil {
		q.idle = make(chan struct{})
		go q.write(q.idle) // Flush waits for it
	}
}

// write writes lines until none is left.
func (q *Queue) write(idle chan struct{}) {
	defer close(idle)
	for {
		lines, dropped := q.take()
		if len(lines) == 0 {
			return
		}
		for _, l := range lines {
			l.out.Log(l.level, l.message, l.pairs...)
		}
		if dropped > 0 {
			lines[len(lines)-1].out.Warn("log lines were dropped, the log writer is too slow", "lines", dropped)
		}
	}
}

// take returns the lines that are to be written, and how many were dropped behind them; none ends the goroutine.
func (q *Queue) take() ([]line, int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.lines[:min(len(q.lines), maxBatch)]
	if q.lines = q.lines[len(lines):]; len(q.lines) > 0 {
		return lines, 0
	}
	dropped := q.dropped
	q.lines, q.dropped = nil, 0
	if len(lines) == 0 {
		q.idle = nil
	}
	return lines, dropped
}

// Flush waits until all lines are written, or for so long. A goroutine that a log writer blocks stays behind; it ends when the writer
// returns.
func (q *Queue) Flush(limit time.Duration) {
	q.mu.Lock()
	idle := q.idle
	q.mu.Unlock()
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

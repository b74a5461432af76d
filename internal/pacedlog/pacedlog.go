// Package pacedlog bounds how many lines of one kind a node logs, whatever happens to it, and keeps a log writer that blocks from stopping it.
package pacedlog

import (
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	maxLines   = 1024        // that wait to be written; further ones are dropped and counted
	closeAfter = time.Second // that Close waits for the log writer
)

// Log writes lines to a logger, from a goroutine of its own. Lines of level DEBUG and TRACE are passed on. Of those above, the first six of a
// kind are passed on; while more follow, one of them stands for all, every 10 s at first and every 10 minutes in the end: the newest, with how
// many were not logged ("unlogged") and in what time all of them came ("within"). That makes at most 26 lines of a kind in any hour. After an
// hour without one the kind is new again. A kind is the name of the logger, the level, the message, and the topology or connector that the
// line is about. No kind waits for another one.
type Log struct {
	front hclog.InterceptLogger
	out   hclog.Logger
	wake  chan struct{} // of one
	stop  chan struct{} // closed by Close
	done  chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex // guards what follows
	lines  []line
	lost   int // lines, since the last one that had room
	kinds  kinds
	closed bool // lines go directly to the logger

	named map[string]hclog.Logger // of out, by name; owned by the goroutine
}

// line is one line as it reaches the sink: the pairs of With are among its own.
type line struct {
	name    string
	level   hclog.Level
	message string
	pairs   []any
}

// New starts a log before a logger. Its Close must be called.
func New(out hclog.Logger) *Log {
	l := &Log{
		front: hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: levelOf(out), Output: io.Discard, Exclude: all}),
		out:   out, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		named: make(map[string]hclog.Logger),
	}
	l.front.RegisterSink(l)
	go l.run() // Close waits for it
	return l
}

// all excludes every line from the logger behind the sink, which would format it for nothing.
func all(hclog.Level, string, ...any) bool { return true }

// levelOf returns the least level that a logger writes. A logger that discards everything states none.
func levelOf(out hclog.Logger) hclog.Level {
	if !out.IsError() {
		return hclog.Off
	}
	return out.GetLevel()
}

// Logger returns the logger whose lines the log gets. It follows the level of the logger behind it. The values of pairs must not change after
// the call.
func (l *Log) Logger() hclog.Logger { return l.front }

// Accept implements [hclog.SinkAdapter]. It waits for no writer.
func (l *Log) Accept(name string, level hclog.Level, message string, pairs ...any) {
	least := levelOf(l.out)
	if least != l.front.GetLevel() {
		l.front.SetLevel(least)
	}
	if level < least {
		return
	}
	one := line{name, level, message, pairs}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		l.to(name).Log(level, message, pairs...)
		return
	case level == hclog.Trace || level == hclog.Debug:
		l.enqueueLocked(one)
	default:
		if l.kinds.add(one, time.Now()) {
			l.enqueueLocked(one)
		}
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *Log) enqueueLocked(one line) {
	if len(l.lines) >= maxLines {
		l.lost++
		return
	}
	l.lines = append(l.lines, one)
}

// Close writes what is left, for a second at most: a goroutine that the log writer blocks stays behind until that returns. Later lines go
// directly to the logger. It may be called more than once.
func (l *Log) Close() {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.stop)
	}
	l.mu.Unlock()
	late := time.NewTimer(closeAfter)
	defer late.Stop()
	select {
	case <-l.done:
	case <-late.C:
	}
}

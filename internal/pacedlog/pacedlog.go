// Package pacedlog bounds how many lines of one kind a node logs, whatever happens to it, and keeps a log writer that blocks from stopping it.
package pacedlog

import (
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/logqueue"
)

// closeAfter is how long Close waits for the log writer.
const closeAfter = time.Second

// Log writes lines to a logger, through a queue that waits for no log writer. Lines of level DEBUG and TRACE are passed on. Of those above, the first six of a
// kind are passed on; while more follow, one of them stands for all, every 10 s at first and every 10 minutes in the end: the newest, with how
// many were not logged ("unlogged") and in what time all of them came ("within"). That makes at most 26 lines of a kind in any hour. After an
// hour without one the kind is new again. A kind is the name of the logger, the level, the message, and the topology or connector that the
// line is about. No kind waits for another one.
type Log struct {
	front hclog.InterceptLogger
	out   hclog.Logger
	queue logqueue.Queue

	mu     sync.Mutex              // guards what follows, and the order of the queue
	named  map[string]hclog.Logger // out, for each part of the node; there are few, and they are constants
	kinds  kinds
	timer  *time.Timer // of writeDue
	armed  time.Time   // what the timer is set to; zero: it is stopped
	closed bool        // lines are held no longer
}

// line is one line as it reaches the sink: the pairs of With are among its own.
type line struct {
	name    string
	level   hclog.Level
	message string
	pairs   []any
}

// New returns a log before a logger. Its Close must be called.
func New(out hclog.Logger) *Log {
	l := &Log{
		front: hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: levelOf(out), Output: io.Discard, Exclude: all}),
		out:   out,
		named: make(map[string]hclog.Logger),
	}
	l.timer = time.AfterFunc(time.Hour, l.writeDue)
	l.timer.Stop()
	l.front.RegisterSink(l)
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
	if level <= hclog.Debug || l.closed || l.kinds.add(one, time.Now()) {
		l.writeLocked(one)
		return
	}
	l.armLocked()
}

// Close writes what is held and what is queued, and waits for that for a second at most: a log writer that blocks keeps a goroutine until
// it returns. Later lines are queued as they come. It may be called more than once.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.writeDue()
	l.queue.Flush(closeAfter)
}

package agent

import (
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/internal/logqueue"
)

// logTimeout is how long a node that ends waits for the log writer of the program.
const logTimeout = time.Second

// asyncLog passes what a node logs to the logger of the program through a queue: a writer that blocks must stop neither a start nor what
// runs. It is the sink of an intercepting logger, whose own output is discarded.
type asyncLog struct {
	out   hclog.Logger
	front hclog.InterceptLogger // what the node logs to
	queue logqueue.Queue

	mu    sync.Mutex
	named map[string]hclog.Logger // out for each name of a part; there are few, and they are constants
}

func newAsyncLog(out hclog.Logger) *asyncLog {
	l := &asyncLog{out: out, named: map[string]hclog.Logger{}}
	l.front = hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: levelOf(out), Output: io.Discard})
	l.front.RegisterSink(l)
	return l
}

// levelOf returns the least level that a logger writes. A logger that discards everything states none.
func levelOf(out hclog.Logger) hclog.Level {
	if !out.IsError() {
		return hclog.Off
	}
	return out.GetLevel()
}

// Accept queues a line of a level that the logger of the program writes. It gets lines of all levels, and follows a level that the program
// changes.
func (l *asyncLog) Accept(name string, level hclog.Level, message string, pairs ...any) {
	least := levelOf(l.out)
	if least != l.front.GetLevel() {
		l.front.SetLevel(least)
	}
	if level >= least {
		l.queue.Add(l.of(name), level, message, pairs...)
	}
}

// of returns the logger of the program for a part of the node.
func (l *asyncLog) of(name string) hclog.Logger {
	if name == "" {
		return l.out
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.named[name] == nil {
		l.named[name] = l.out.Named(name)
	}
	return l.named[name]
}

// flush waits until all lines are written, or for logTimeout.
func (l *asyncLog) flush() { l.queue.Flush(logTimeout) }

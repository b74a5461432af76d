package strategy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/peer"
)

// Yield passes on one answer of a source that is watched, with the same meaning as the results of a [Lookup]. It may be
// called from any goroutine, returns without waiting for anyone and copies the slice.
type Yield func(peers []peer.Peer, err error)

// WatchFunc follows a source that reports changes by itself: it opens the stream, yields each answer and blocks until ctx
// is done or the stream ends. It returns why, after every goroutine that it started. What is yielded after it returned
// is dropped.
type WatchFunc func(ctx context.Context, yield Yield) error

// WatchConfig is what [Watch] does about a source that is silent or fails.
type WatchConfig struct {
	// FirstAnswer is the time in which each call of the function should yield for the first time. When it passes, that is
	// reported by Fail and the call goes on. 0 means 5 s.
	FirstAnswer time.Duration

	// Repeat is how often the last answer is given again while the source is silent and has not failed, up to 50 s; 0 means
	// 30 s. Silence counts as no change, so the function must detect a broken stream itself, by a heartbeat or a time limit.
	Repeat time.Duration

	// MaxBackoff is the longest wait between two calls of the function; 0 means 1 minute.
	MaxBackoff time.Duration
}

const (
	firstAnswer = 5 * time.Second
	repeatEvery = 30 * time.Second
	minBackoff  = time.Second
	healthy     = time.Minute // a call of this length ends a row of failures
)

// Watch makes a strategy of a function that follows a source. It calls the function at once and, when that returns, reports
// the error by Fail and calls it again after 1 s, doubling to MaxBackoff, ±20 %; a call that lasted a minute ends the row of
// failures. Between two calls, and after a failure, the last answer is not repeated, so that it ages. An error that
// is [Permanent], and a panic, end Run.
func Watch(f WatchFunc, c WatchConfig, env Env) Strategy {
	env = env.withDefaults()
	if c.FirstAnswer <= 0 {
		c.FirstAnswer = firstAnswer
	}
	if c.Repeat <= 0 {
		c.Repeat = repeatEvery
	}
	c.Repeat = min(c.Repeat, maxInterval)
	if c.MaxBackoff <= 0 {
		c.MaxBackoff = maxBackoff
	}
	return Func(func(ctx context.Context, out Sink) error {
		w := &watcher{watch: f, config: c, rand: env.Rand, out: out}
		return w.run(ctx)
	})
}

// watcher is one Run of Watch.
type watcher struct {
	watch  WatchFunc
	config WatchConfig
	rand   *rand.Rand
	out    Sink
}

func (w *watcher) run(ctx context.Context) error {
	for failures := 0; ; {
		began := time.Now()
		err, crash := w.watchOnce(ctx)
		switch {
		case crash != nil:
			return crash
		case ctx.Err() != nil:
			return ctx.Err()
		case IsPermanent(err):
			return err
		case err == nil:
			err = errors.New("the watch ended without an error")
		}
		w.out.Fail(err)
		if failures++; time.Since(began) >= healthy {
			failures = 1
		}
		wait := backoff.Doubling(minBackoff, w.config.MaxBackoff, failures)
		if err := backoff.Sleep(ctx, backoff.Jitter(w.rand, wait, jitter)); err != nil {
			return err
		}
	}
}

// watchOnce calls the function and waits for its return. It reports a missing first answer and repeats the last one meanwhile.
func (w *watcher) watchOnce(ctx context.Context) (err, crash error) {
	l := &lastAnswer{out: w.out}
	defer l.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		crash = errors.New("the watch ended its goroutine")
		err, crash = guardWatch(ctx, w.watch, l.yield)
	}()
	first := time.NewTimer(w.config.FirstAnswer)
	defer first.Stop()
	repeat := time.NewTimer(w.config.Repeat)
	defer repeat.Stop()
	for {
		select {
		case <-done:
			return err, crash
		case <-first.C:
			l.reportMissing(ctx, w.config.FirstAnswer)
		case <-repeat.C:
			repeat.Reset(l.repeat(ctx, w.config.Repeat))
		}
	}
}

// guardWatch calls f; a panic becomes a crash.
func guardWatch(ctx context.Context, f WatchFunc, yield Yield) (err, crash error) {
	defer func() {
		if r := recover(); r != nil {
			crash = fmt.Errorf("watch panicked: %v\n%s", r, debug.Stack())
		}
	}()
	return f(ctx, yield), nil
}

// lastAnswer passes the answers of one call of a WatchFunc on and keeps the last one.
type lastAnswer struct {
	mu       sync.Mutex
	out      Sink
	peers    []peer.Peer
	err      error
	answered bool      // there was an answer, a failure included
	holds    bool      // and the last one names peers or is complete
	at       time.Time // when it was passed on
	closed   bool      // the call has returned
}

func (l *lastAnswer) yield(peers []peer.Peer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answered = true
	l.peers, l.err, l.holds = slices.Clone(peers), err, err == nil || len(peers) > 0
	l.passLocked()
}

// passLocked gives the sink the last answer.
func (l *lastAnswer) passLocked() {
	if l.closed {
		return
	}
	l.at = time.Now()
	reportAnswer(l.out, l.peers, l.err)
}

// reportAnswer gives a sink the results of a lookup, with a copy of the slice.
func reportAnswer(out Sink, peers []peer.Peer, err error) {
	switch {
	case err == nil:
		out.Set(slices.Clone(peers))
		return
	case len(peers) > 0:
		out.Add(slices.Clone(peers))
	}
	out.Fail(err)
}

// reportMissing reports that there was no answer in time.
func (l *lastAnswer) reportMissing(ctx context.Context, limit time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.answered && ctx.Err() == nil {
		l.out.Fail(fmt.Errorf("no answer within %v", limit))
	}
}

// repeat gives the last answer again if it holds and was given an interval ago. It returns when that is due next.
func (l *lastAnswer) repeat(ctx context.Context, interval time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := time.Since(l.at); l.holds && age < interval {
		return interval - age
	}
	if l.holds && ctx.Err() == nil {
		l.passLocked()
	}
	return interval
}

// close drops what is yielded from now on.
func (l *lastAnswer) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

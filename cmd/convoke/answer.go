package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// answer is a strategy's answer to being run once.
type answer struct {
	kind  string
	peers []peer.Peer
	err   error
}

const (
	settle   = 100 * time.Millisecond // an incomplete answer is followed by the reason
	patience = 2 * time.Second        // for a strategy to end when told to
)

// firstAnswer runs a strategy until it has said something, for timeout at most.
func firstAnswer(ctx context.Context, s strategy.Strategy, timeout time.Duration) answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	first := &firstSink{told: make(chan struct{}, 1), complete: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- runGuarded(ctx, s, first) }()

	var crash error
	select {
	case <-first.told:
		first.wait(ctx)
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
		}
	case crash = <-ended:
	case <-ctx.Done():
	}
	return first.answer(crash, timeout)
}

// runGuarded makes an error of a panic.
func runGuarded(ctx context.Context, s strategy.Strategy, out strategy.Sink) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the strategy panicked: %v", r)
		}
	}()
	return s.Run(ctx, out)
}

// firstSink keeps what a strategy says until it is asked for.
type firstSink struct {
	told     chan struct{} // one: something was said
	complete chan struct{} // closed by the first Set

	mu    sync.Mutex // guards what follows
	set   bool
	peers []peer.Peer
	err   error
}

// Set keeps the first complete answer.
func (f *firstSink) Set(all []peer.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.set {
		f.set, f.peers = true, all
		close(f.complete)
	}
	f.tell()
}

// Add keeps the peers of an incomplete answer.
func (f *firstSink) Add(some []peer.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.set {
		f.peers = append(f.peers, some...)
	}
	f.tell()
}

// Fail keeps the newest error.
func (f *firstSink) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	f.tell()
}

func (f *firstSink) tell() {
	select {
	case f.told <- struct{}{}:
	default:
	}
}

// wait gives an incomplete answer the time to be explained or completed.
func (f *firstSink) wait(ctx context.Context) {
	select {
	case <-f.complete:
	case <-time.After(settle):
	case <-ctx.Done():
	}
}

func (f *firstSink) answer(crash error, timeout time.Duration) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.set:
		return answer{kind: answerComplete, peers: f.peers}
	case len(f.peers) > 0:
		return answer{answerPartial, f.peers, f.err}
	case f.err != nil:
		return answer{kind: answerNone, err: f.err}
	case crash != nil && !errors.Is(crash, context.Canceled) && !errors.Is(crash, context.DeadlineExceeded):
		return answer{kind: answerNone, err: crash}
	}
	return answer{kind: answerNone, err: fmt.Errorf("no answer within %v", timeout)}
}

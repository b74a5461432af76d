package strategy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// ErrIncomplete is the error of an answer that is incomplete without a stated reason: there may be further peers.
var ErrIncomplete = errors.New("the answer is incomplete")

const (
	findSettle = 3 * time.Second // a source that adds peer by peer is done when it adds no new one for so long
	findStop   = 2 * time.Second // for a strategy to return when its context ends
)

// Find runs a strategy until its first answer and returns that, without a supervisor or a connector, as a [Lookup] does:
//
//	(peers, nil)   a complete answer, also when it is empty
//	(peers, err)   an incomplete answer, if there is at least one peer; err is the failure that was reported, or [ErrIncomplete]
//	(nil, err)     no answer; [ErrIncomplete] if the strategy works and has found no peer by the end of ctx
//
// It waits until ctx is done at most, so give that a deadline: 10 s suit most sources. An incomplete answer is returned when
// no new peer was added for 3 s, an early return or a panic of Run at once. Peers are sorted by address where several
// incomplete answers were joined. A strategy that does not return within 2 s of the end of its context is left running.
func Find(ctx context.Context, s Strategy) ([]peer.Peer, error) {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	first := &firstAnswers{changed: make(chan struct{}, 1), added: make(map[string]peer.Peer)}
	ended := make(chan error, 1)
	go func() { ended <- runGuarded(running, s, first) }()

	crash, crashed := first.awaitAnswer(ctx, ended)
	cancel()
	if !crashed {
		late := time.NewTimer(findStop)
		defer late.Stop()
		select {
		case <-ended:
		case <-late.C:
		}
	}
	return first.answer(ctx, crash)
}

// Find makes the strategy and returns its first answer: see [Find].
func (c *Configured) Find(ctx context.Context, env Env) ([]peer.Peer, error) {
	s, err := c.New(env)
	if err != nil {
		return nil, err
	}
	return Find(ctx, s)
}

// runGuarded runs a strategy; a panic becomes an error.
func runGuarded(ctx context.Context, s Strategy, out Sink) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the strategy panicked: %v", r)
		}
	}()
	if err = s.Run(ctx, out); err == nil {
		err = errors.New("the strategy returned before it gave an answer")
	}
	return err
}

// firstAnswers is a sink that keeps what a strategy reports up to its first complete answer.
type firstAnswers struct {
	changed chan struct{} // of one: there was a call

	mu    sync.Mutex // guards what follows
	set   bool
	all   []peer.Peer
	some  bool // there was an Add
	added map[string]peer.Peer
	err   error
}

// Set keeps the first complete answer.
func (f *firstAnswers) Set(all []peer.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.set {
		f.set, f.all = true, all
	}
	f.notifyLocked()
}

// Add keeps the peers of an incomplete answer.
func (f *firstAnswers) Add(some []peer.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.some = true
	for _, p := range some {
		f.added[p.Addr] = p
	}
	f.notifyLocked()
}

// Fail keeps the first error.
func (f *firstAnswers) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	f.notifyLocked()
}

func (f *firstAnswers) notifyLocked() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// progress returns how many peers were added, and whether there is nothing to wait for.
func (f *firstAnswers) progress() (added int, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.added), f.set || f.err != nil
}

// awaitAnswer waits for the answer. If the strategy ended before, it returns the reason.
func (f *firstAnswers) awaitAnswer(ctx context.Context, ended <-chan error) (crash error, crashed bool) {
	var settled <-chan time.Time // starts at the first peer
	var before int
	for {
		select {
		case <-ctx.Done():
			return nil, false
		case err := <-ended:
			if ctx.Err() != nil {
				err = nil // it ended with its context
			}
			return err, true
		case <-settled:
			return nil, false
		case <-f.changed:
		}
		added, done := f.progress()
		if done {
			return nil, false
		}
		if added > before {
			before, settled = added, time.After(findSettle)
		}
	}
}

// answer returns what was found.
func (f *firstAnswers) answer(ctx context.Context, crash error) ([]peer.Peer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	failure := errors.Join(f.err, crash)
	switch {
	case f.set:
		return f.all, nil
	case failure == nil && f.some:
		failure = ErrIncomplete
	case failure == nil:
		failure = fmt.Errorf("no answer: %w", context.Cause(ctx))
	}
	return slices.SortedFunc(maps.Values(f.added), func(a, b peer.Peer) int { return strings.Compare(a.Addr, b.Addr) }), failure
}

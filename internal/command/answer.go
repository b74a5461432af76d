package command

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
	"github.com/goconvoke/convoke/strategy"
)

// answer is a strategy's answer to being run once.
type answer struct {
	kind  string // one of the constants of addrs
	peers []peer.Peer
	err   error
}

const (
	quiet    = 3 * time.Second // a source that adds peer by peer is done when it adds none for so long
	patience = 2 * time.Second // for a strategy to end when told to
)

// firstAnswer runs a strategy until it has given a complete answer, or failed, or added no further
// peer for a while; for timeout at most.
func firstAnswer(ctx context.Context, s strategy.Strategy, timeout time.Duration) answer {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	first := &firstSink{told: make(chan struct{}, 1), added: make(map[string]peer.Peer)}
	ended := make(chan error, 1)
	go func() { ended <- runGuarded(ctx, s, first) }()

	crash, crashed := first.wait(ctx, ended)
	cancel()
	if !crashed {
		select {
		case <-ended:
		case <-time.After(patience): // it is deaf, and this process ends soon
		}
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

// firstSink keeps what a strategy says until the first answer is whole.
type firstSink struct {
	told chan struct{} // of one: something was said

	mu    sync.Mutex // guards what follows
	set   bool
	all   []peer.Peer
	some  bool
	added map[string]peer.Peer // by address
	err   error
}

// Set keeps the first complete answer.
func (f *firstSink) Set(all []peer.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.set {
		f.set, f.all = true, all
	}
	f.tell()
}

// Add keeps the peers of an incomplete answer.
func (f *firstSink) Add(some []peer.Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.some = true
	for _, p := range some {
		f.added[p.Addr] = p
	}
	f.tell()
}

// Fail keeps the first error.
func (f *firstSink) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	f.tell()
}

func (f *firstSink) tell() {
	select {
	case f.told <- struct{}{}:
	default:
	}
}

// progress returns how many peers were added, and whether there is nothing to wait for.
func (f *firstSink) progress() (added int, done bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.added), f.set || f.err != nil
}

// wait waits for the answer. If the strategy ended before, it returns how.
func (f *firstSink) wait(ctx context.Context, ended <-chan error) (crash error, crashed bool) {
	var silence <-chan time.Time // starts at the first peer
	var before int
	for {
		select {
		case <-ctx.Done():
			return nil, false
		case err := <-ended:
			if ctx.Err() != nil {
				err = nil // it was told to
			}
			return err, true
		case <-silence:
			return nil, false
		case <-f.told:
		}
		added, done := f.progress()
		if done {
			return nil, false
		}
		if added > before {
			before, silence = added, time.After(quiet)
		}
	}
}

func (f *firstSink) answer(crash error, timeout time.Duration) answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.set:
		return answer{kind: answerComplete, peers: f.all}
	case len(f.added) > 0 || f.some && f.err == nil && crash == nil:
		some := slices.SortedFunc(maps.Values(f.added), func(a, b peer.Peer) int { return strings.Compare(a.Addr, b.Addr) })
		return answer{answerPartial, some, errors.Join(f.err, crash)}
	case f.err != nil:
		return answer{kind: answerNone, err: f.err}
	case crash != nil:
		return answer{kind: answerNone, err: crash}
	}
	return answer{kind: answerNone, err: fmt.Errorf("no answer within %v", timeout)}
}

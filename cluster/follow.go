package cluster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// Follow runs a strategy without a connector and yields the peers that are known, each time that they change or that the error
// does: for resolvers and balancers, which bring connections of their own. It restarts the strategy as a [Supervisor] does.
//
//	(peers, nil)   the last answer was complete, and these are its peers
//	(peers, err)   the source fails or answers in part: these are the peers of the last complete answer and those that were
//	               added since; without a peer there was no answer yet
//
// Peers are sorted by address, and the slice belongs to the caller. A caller that is slow gets the newest state, not each one.
// An empty answer after one with peers is held back until it came three times over 30 s. A peer that incomplete answers have
// not named for 10 minutes, while they named others, is dropped.
//
// The sequence ends when ctx is done, and after a permanent error of the strategy, which it yields last. Its end, and a break
// out of the loop, stop the strategy and wait for that, for 5 s at most. Each range over it runs a strategy of its own.
func Follow(ctx context.Context, c *strategy.Configured, env strategy.Env) iter.Seq2[[]peer.Peer, error] {
	return func(yield func([]peer.Peer, error) bool) {
		running, cancel := context.WithCancel(ctx)
		f := &follower{config: c, env: env, changed: make(chan struct{}, 1)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			f.run(running)
		}()
		defer f.stop(cancel, done)
		for {
			ended := false
			select {
			case <-ctx.Done():
				return
			case <-done: // by a permanent error
				ended = true
			case <-f.changed:
			}
			peers, err, changed := f.next()
			if changed && !yield(peers, err) || ended {
				return
			}
		}
	}
}

// Follow follows the strategy of a topology as [Follow] does. It is an error if no topology has this name.
func (c *Config) Follow(ctx context.Context, topology string, log hclog.Logger) (iter.Seq2[[]peer.Peer, error], error) {
	for _, t := range c.Topologies {
		if t.Name == topology {
			return Follow(ctx, t.Config, strategy.Env{Log: log, Topology: t.Name, ClusterID: c.Node.Cluster}), nil
		}
	}
	return nil, fmt.Errorf("no topology is named %q", topology)
}

// follower keeps a strategy running and collects what it reports. It is the strategy's sink.
type follower struct {
	config  *strategy.Configured
	env     strategy.Env
	changed chan struct{} // of one: there was a report

	mu       sync.Mutex // guards what follows
	known    knownPeers
	err      error // nil after a complete answer
	reported bool  // the strategy has reported anything

	// Of the goroutine of the sequence: what was yielded last.
	last    []peer.Peer
	lastErr error
	yielded bool
}

// run runs the strategy until ctx is done or an error is permanent, again after every early return.
func (f *follower) run(ctx context.Context) {
	var restarts restart
	for {
		started := time.Now()
		err := recoverPanic(func() error {
			s, err := f.config.New(f.env)
			if err != nil {
				return err
			}
			return s.Run(ctx, f)
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it returned before its context ended")
		}
		f.Fail(fmt.Errorf("strategy %s crashed: %w", f.config.Kind, err))
		if strategy.IsPermanent(err) || !restarts.wait(ctx, time.Since(started)) {
			return
		}
	}
}

// stop ends the strategy and waits for it.
func (f *follower) stop(cancel context.CancelFunc, done <-chan struct{}) {
	cancel()
	late := time.NewTimer(stopGrace)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		if f.env.Log != nil {
			f.env.Log.Error("strategy does not stop and is left behind", "strategy", f.config.Kind)
		}
	}
}

// Set takes a complete answer.
func (f *follower) Set(all []peer.Peer) {
	all, err := canonicalPeers(all)
	if err != nil {
		f.add(all, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known.set(all, time.Now()) {
		f.err = nil
		f.notifyLocked()
	}
}

// Add takes an incomplete answer.
func (f *follower) Add(some []peer.Peer) {
	some, err := canonicalPeers(some)
	f.add(some, err)
}

// add takes an incomplete answer. Without a reason of its own the one before stands: the same failure follows most likely.
func (f *follower) add(some []peer.Peer, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.known.byAddr)+len(some) > maxPeers {
		some, err = nil, errTooMany
	}
	f.known.add(some, time.Now())
	switch {
	case err != nil:
		f.err = err
	case f.err == nil:
		f.err = strategy.ErrIncomplete
	}
	f.notifyLocked()
}

// Fail takes a failure: what is known stands.
func (f *follower) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		err = errors.New("the strategy reported a failure without an error")
	}
	f.err = err
	f.known.fail()
	f.notifyLocked()
}

func (f *follower) notifyLocked() {
	f.reported = true
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// next returns what is known, and whether that is different from the last time.
func (f *follower) next() (peers []peer.Peer, err error, changed bool) {
	f.mu.Lock()
	peers, err = f.known.list(), f.err
	reported := f.reported
	f.mu.Unlock()
	if !reported || f.yielded && slices.Equal(peers, f.last) && sameText(err, f.lastErr) {
		return nil, nil, false
	}
	f.last, f.lastErr, f.yielded = slices.Clone(peers), err, true
	return peers, err, true
}

// sameText reports whether two errors read alike.
func sameText(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}

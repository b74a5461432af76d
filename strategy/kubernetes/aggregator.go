package kubernetes

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// update is what a watcher sends.
type update struct {
	from *watcher
	what event
	err  error // of failed
	some []any // of failed: the objects of the pages that were read before
}

type event string

const (
	listed    event = "listed"    // the store holds a complete list
	changed   event = "changed"   // the store changed since
	failed    event = "failed"    // a round failed; the next one begins with a list
	watching  event = "watching"  // changes will be sent
	unwatched event = "unwatched" // no longer
)

// namespaceState is what is known of a namespace.
type namespaceState struct {
	current bool  // it was listed, or is watched, and no watch has ended since
	err     error // of the last round, nil since it was listed again
}

// aggregator turns the updates of all watchers into answers. It belongs to the goroutine of watchNamespaces.
type aggregator struct {
	resolver   *resolver
	yield      strategy.Yield
	namespaces map[*watcher]*namespaceState
	order      []*watcher

	dirty time.Time // since when there are changes that were not reported; zero: there are none
	owed  bool      // an answer was due while a part was not current
}

// watchNamespaces runs a watcher for each namespace and yields what they find.
func (r *resolver) watchNamespaces(ctx context.Context, yield strategy.Yield) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	queue := make(chan update)
	send := func(n update) {
		select {
		case queue <- n:
		case <-ctx.Done():
		}
	}
	namespaces := r.config.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	a := &aggregator{resolver: r, yield: yield, namespaces: make(map[*watcher]*namespaceState)}
	crash := make(chan error, len(namespaces)) // one for each, so that none waits
	for _, ns := range namespaces {
		w := newWatcher(r, ns, rand.New(rand.NewPCG(r.env.Rand.Uint64(), r.env.Rand.Uint64())), send)
		a.namespaces[w], a.order = new(namespaceState), append(a.order, w)
		wg.Go(func() {
			if err := w.run(ctx); err != nil {
				crash <- err
			}
		})
	}
	return a.loop(ctx, queue, crash)
}

func (a *aggregator) loop(ctx context.Context, queue <-chan update, crash <-chan error) error {
	settled := time.NewTimer(time.Hour)
	settled.Stop()
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-crash:
			return err
		case n := <-queue:
			a.handleUpdate(n)
		case <-settled.C:
			a.report()
		}
		settled.Stop()
		if wait, ok := a.reportDelay(); ok {
			settled.Reset(wait)
		}
	}
}

// reportDelay returns when the changes at hand are to be reported: soon after the last one, not long after the first.
func (a *aggregator) reportDelay() (time.Duration, bool) {
	if a.dirty.IsZero() {
		return 0, false
	}
	return max(0, min(debounce, maxDelay-time.Since(a.dirty))), true
}

func (a *aggregator) handleUpdate(n update) {
	p := a.namespaces[n.from]
	switch n.what {
	case listed:
		p.current, p.err = true, nil
		a.report() // at once: if the watch fails next, this stays the best there is
	case changed:
		a.markDirty()
	case watching:
		if p.current = true; a.owed {
			a.report()
		}
	case unwatched:
		p.current = false
	case failed:
		p.err = n.err
		a.yield(a.partialPeers(n.some), n.err)
		a.markDirty() // what the other namespaces have is an incomplete answer now
	}
}

func (a *aggregator) markDirty() {
	if a.dirty.IsZero() {
		a.dirty = time.Now()
	}
}

// partialPeers returns the peers that are certain from a part of the objects of a namespace.
func (a *aggregator) partialPeers(some []any) []peer.Peer {
	var found []*candidate
	for _, obj := range some {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			found = append(found, a.resolver.config.readObject(u).candidates...)
		}
	}
	if len(found) == 0 {
		return nil
	}
	peers, _ := a.resolver.buildAnswer(a.resolver.config.certainCandidates(found), false) // what is wrong with an object is secondary now
	return peers
}

// report gives the answer as it is now: a complete one when every namespace is listed and every object
// was read, else the part that is known. While a namespace has not answered yet, or its watch is between
// its end and its reopening, it waits for that.
func (a *aggregator) report() {
	a.dirty, a.owed = time.Time{}, false
	var found []*candidate
	var bad []error
	var failures []error
	for _, w := range a.order {
		switch p := a.namespaces[w]; {
		case p.err != nil:
			failures = append(failures, p.err)
		case !p.current:
			a.owed = true
			return
		default:
			some, err := w.store.allCandidates()
			found, bad = append(found, some...), append(bad, err)
		}
	}
	unread := errors.Join(bad...)
	peers, err := a.resolver.buildAnswer(found, len(failures) == 0 && unread == nil)
	unread = errors.Join(unread, err)
	if len(peers) > 0 || len(failures) == 0 || unread != nil { // a failure alone was reported when it happened
		a.yield(peers, errors.Join(unread, errors.Join(failures...)))
	}
}

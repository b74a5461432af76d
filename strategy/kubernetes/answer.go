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

// news is what a watcher tells.
type news struct {
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
	watching  event = "watching"  // changes will be told
	unwatched event = "unwatched" // no longer
)

// part is what is known of a namespace.
type part struct {
	current bool  // it was listed, or is watched, and no watch has ended since
	err     error // of the last round, nil since it was listed again
}

// answers turns the news of all watchers into answers. It belongs to the goroutine of watch.
type answers struct {
	finder *finder
	yield  strategy.Yield
	parts  map[*watcher]*part
	order  []*watcher

	dirty time.Time // since when there are changes that were not told; zero: there are none
	owed  bool      // an answer was due while a part was not current
}

// watch runs a watcher for each namespace and yields what they find.
func (f *finder) watch(ctx context.Context, yield strategy.Yield) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	queue := make(chan news)
	tell := func(n news) {
		select {
		case queue <- n:
		case <-ctx.Done():
		}
	}
	namespaces := f.config.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	a := &answers{finder: f, yield: yield, parts: make(map[*watcher]*part)}
	crash := make(chan error, len(namespaces)) // one for each, so that none waits
	for _, ns := range namespaces {
		w := newWatcher(f, ns, rand.New(rand.NewPCG(f.env.Rand.Uint64(), f.env.Rand.Uint64())), tell)
		a.parts[w], a.order = new(part), append(a.order, w)
		wg.Go(func() {
			if err := w.run(ctx); err != nil {
				crash <- err
			}
		})
	}
	return a.loop(ctx, queue, crash)
}

func (a *answers) loop(ctx context.Context, queue <-chan news, crash <-chan error) error {
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
			a.take(n)
		case <-settled.C:
			a.tell()
		}
		settled.Stop()
		if wait, ok := a.due(); ok {
			settled.Reset(wait)
		}
	}
}

// due returns when the changes at hand are to be told: soon after the last one, not long after the first.
func (a *answers) due() (time.Duration, bool) {
	if a.dirty.IsZero() {
		return 0, false
	}
	return max(0, min(debounce, maxDelay-time.Since(a.dirty))), true
}

func (a *answers) take(n news) {
	p := a.parts[n.from]
	switch n.what {
	case listed:
		p.current, p.err = true, nil
		a.tell() // at once: if the watch fails next, this stays the best there is
	case changed:
		a.changedNow()
	case watching:
		if p.current = true; a.owed {
			a.tell()
		}
	case unwatched:
		p.current = false
	case failed:
		p.err = n.err
		a.yield(a.known(n.some), n.err)
		a.changedNow() // what the other namespaces have is an incomplete answer now
	}
}

func (a *answers) changedNow() {
	if a.dirty.IsZero() {
		a.dirty = time.Now()
	}
}

// known returns the peers that are certain from a part of the objects of a namespace.
func (a *answers) known(some []any) []peer.Peer {
	var found []*candidate
	for _, obj := range some {
		if u, ok := obj.(*unstructured.Unstructured); ok {
			found = append(found, a.finder.config.read(u).candidates...)
		}
	}
	if len(found) == 0 {
		return nil
	}
	peers, _ := a.finder.peers(a.finder.config.certain(found), false) // what is wrong with an object is secondary now
	return peers
}

// tell gives the answer as it is now: a complete one when every namespace is listed and every object
// was read, else the part that is known. While a namespace has not answered yet, or its watch is between
// its end and its reopening, it waits for that.
func (a *answers) tell() {
	a.dirty, a.owed = time.Time{}, false
	var found []*candidate
	var bad []error
	var failures []error
	for _, w := range a.order {
		switch p := a.parts[w]; {
		case p.err != nil:
			failures = append(failures, p.err)
		case !p.current:
			a.owed = true
			return
		default:
			some, err := w.store.content()
			found, bad = append(found, some...), append(bad, err)
		}
	}
	unread := errors.Join(bad...)
	peers, err := a.finder.peers(found, len(failures) == 0 && unread == nil)
	unread = errors.Join(unread, err)
	if len(peers) > 0 || len(failures) == 0 || unread != nil { // a failure alone was reported when it happened
		a.yield(peers, errors.Join(unread, errors.Join(failures...)))
	}
}

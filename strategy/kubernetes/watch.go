package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/goconvoke/convoke/internal/backoff"
)

const (
	minBackoff   = 800 * time.Millisecond
	maxBackoff   = 30 * time.Second
	healthyRound = time.Minute // a round of this length ends a row of failures
)

// klogLogger returns the logger of client-go.
func (r *resolver) klogLogger() klog.Logger { return klog.New(logSink{r.env.Log}) }

// watcher keeps the store of one namespace like the API server's. It works in rounds: a list, then a watch
// (with bookmarks, opened again where it ended) until something fails or it is time to start again, for
// a watch may fall silent without an error.
type watcher struct {
	resolver  *resolver
	namespace string // "" means the own one
	rand      *rand.Rand
	store     *objectStore
	send      func(update) // blocks until the news is taken, or Run ends
	opened    time.Time    // when the last watch was

	// listing is held during a list: the reflector does not wait for those it asked for, a round does.
	listing sync.Mutex
	client  *dynamic.DynamicClient
	actual  string    // namespace of this round
	until   time.Time // deadline of the list at hand
	pages   int
	some    []any // objects of the pages so far, of a list that is not complete
}

func newWatcher(from *resolver, ns string, r *rand.Rand, send func(update)) *watcher {
	w := &watcher{resolver: from, namespace: ns, rand: r, send: send}
	w.store = newStore(from.config, func(complete bool) {
		what := changed
		if complete {
			what = listed
		}
		send(update{from: w, what: what})
	})
	return w
}

// run works until ctx ends. A panic of client-go is returned.
func (w *watcher) run(ctx context.Context) (crash error) {
	defer func() {
		if r := recover(); r != nil {
			crash = fmt.Errorf("watch panicked: %v\n%s", r, debug.Stack())
		}
	}()
	logger := w.resolver.klogLogger()
	ctx = klog.NewContext(ctx, logger)
	r := cache.NewReflectorWithOptions(w, nil, w.store, cache.ReflectorOptions{
		Logger: &logger, Name: w.resolver.env.Topology, TypeDescription: string(w.resolver.config.Source),
	})
	r.WatchListPageSize = pageSize
	for failures := 0; ; {
		began := time.Now()
		w.some = nil
		err := w.listAndWatch(ctx, r)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) >= healthyRound {
			failures = 0
		}
		if err != nil {
			w.send(update{from: w, what: failed, err: err, some: w.some})
			failures++
		}
		if backoff.Sleep(ctx, w.roundDelay(failures)) != nil {
			return nil
		}
	}
}

// roundDelay returns the time until the next round after so many failed ones in a row.
func (w *watcher) roundDelay(failures int) time.Duration {
	d := backoff.Doubling(minBackoff, maxBackoff, failures)
	// Only longer, never shorter: watches that ended together do not begin together.
	d += time.Duration(w.rand.Float64() * float64(d) / 2)
	return max(d, w.resolver.api.retryDelay())
}

// listAndWatch lists and watches until the watch is to be started again (nil) or something fails.
func (w *watcher) listAndWatch(ctx context.Context, r *cache.Reflector) error {
	client, own, err := w.resolver.api.connect()
	if err != nil {
		return err
	}
	w.setTarget(client, own)
	relist := backoff.Jitter(w.rand, w.resolver.config.Relist, 0.2)
	limited, cancel := context.WithTimeout(ctx, relist)
	defer cancel()
	aborted, end := withAbort(limited)
	defer end(nil)
	err = r.ListAndWatchWithContext(aborted)
	end(nil)
	w.listing.Lock() // the last list has returned
	defer w.listing.Unlock()
	switch cause := context.Cause(aborted); {
	case errors.Is(cause, context.DeadlineExceeded) && limited.Err() != nil, ctx.Err() != nil, versionExpired(err):
		return nil
	case cause != nil && !errors.Is(cause, context.Canceled):
		return w.withRequestName(cause)
	default:
		return w.withRequestName(err)
	}
}

// setTarget sets what the requests of a round go to.
func (w *watcher) setTarget(client *dynamic.DynamicClient, own string) {
	w.listing.Lock()
	defer w.listing.Unlock()
	w.client, w.actual = client, w.namespace
	if w.actual == "" {
		w.actual = own
	}
}

// withRequestName adds where an error happened that does not name it.
func (w *watcher) withRequestName(err error) error {
	var named *roundError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &named):
		return named.err
	default:
		return w.resolver.api.requestError("list and watch", w.actual, err)
	}
}

// roundError is an error that names which request failed.
type roundError struct{ err error }

func (e *roundError) Error() string { return e.err.Error() }
func (e *roundError) Unwrap() error { return e.err }

// IsWatchListSemanticsUnSupported makes the reflector list in pages instead of streaming the list:
// those have a deadline, and what came before one that failed is not lost.
func (w *watcher) IsWatchListSemanticsUnSupported() bool { return true }

// List is not called; a reflector prefers ListWithContext.
func (w *watcher) List(o metav1.ListOptions) (runtime.Object, error) {
	return w.ListWithContext(context.Background(), o)
}

// Watch is not called; a reflector prefers WatchWithContext.
func (w *watcher) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return w.WatchWithContext(context.Background(), o)
}

// ListWithContext lists a page. All pages of a list share one deadline.
func (w *watcher) ListWithContext(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
	w.listing.Lock()
	defer w.listing.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err() // the round is over
	}
	if o.Continue == "" {
		w.until, w.pages, w.some = time.Now().Add(w.resolver.config.Timeout), 0, nil
	}
	limited, cancel := context.WithDeadline(ctx, w.until)
	defer cancel()
	list, err := w.client.Resource(resources[w.resolver.config.Source]).Namespace(w.actual).List(limited, w.resolver.addSelectors(o))
	if w.pages++; err == nil && w.pages > maxPages {
		err = errTooMany
	}
	if err == nil {
		if w.some = append(w.some, objectsOf(list)...); list.GetContinue() == "" {
			w.some = nil
		}
		return list, nil
	}
	if limited.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no answer within %v: %w", w.resolver.config.Timeout, err)
	}
	if versionExpired(err) {
		w.some = nil
	}
	return nil, &roundError{w.resolver.api.requestError("list", w.actual, causeOf(ctx, err))}
}

// WatchWithContext opens a watch. One that is not answered in time ends the round: a proxy may hold it back.
func (w *watcher) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	if err := backoff.Sleep(ctx, minBackoff-time.Since(w.opened)); err != nil { // a server may end each as soon as it is open
		return nil, err
	}
	w.opened = time.Now()
	late := time.AfterFunc(w.resolver.config.Timeout, func() {
		abortRound(ctx, &roundError{fmt.Errorf("watch %s in namespace %s: no answer within %v; a proxy that breaks streams needs watch: false",
			w.resolver.config.Source, w.actual, w.resolver.config.Timeout)})
	})
	opened, err := w.client.Resource(resources[w.resolver.config.Source]).Namespace(w.actual).Watch(ctx, w.resolver.addSelectors(o))
	if !late.Stop() && err == nil {
		opened.Stop()
		err = ctx.Err()
	}
	if versionExpired(err) {
		return nil, err
	}
	if err != nil {
		err = &roundError{w.resolver.api.requestError("watch", w.actual, causeOf(ctx, err))}
		abortRound(ctx, err) // the reflector would go on asking where it is refused
		return nil, err
	}
	w.send(update{from: w, what: watching})
	return &openWatch{Interface: opened, closed: func() { w.send(update{from: w, what: unwatched}) }}, nil
}

// versionExpired reports whether the server has forgotten the version that was asked for: a list repairs that.
func versionExpired(err error) bool { return apierrors.IsResourceExpired(err) || apierrors.IsGone(err) }

// openWatch calls closed when it is stopped.
type openWatch struct {
	watch.Interface
	once   sync.Once
	closed func()
}

// Stop closes the watch.
func (o *openWatch) Stop() {
	o.Interface.Stop()
	o.once.Do(o.closed)
}

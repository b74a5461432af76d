package quorum

import (
	"context"
	"iter"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
	"github.com/goconvoke/convoke/quorum/internal/core"
)

// MapChange is one step of [Map.Watch]: a key as its last write left it. Deleted: the key is not there any more, and Value is "".
type MapChange struct {
	Entry
	Deleted bool
}

// Watch yields the keys with a prefix that are there, and then what changes, until ctx or the quorum ends. The changes of a key come in the order of
// the log; a reader that is slow, or was cut off, misses writes in between, never the newest one. While there is no leader nothing is yielded. What
// it shows is some time behind: see [Map.Get]. It keeps the names of the keys in memory, and nothing waits for its reader.
func (m *Map) Watch(ctx context.Context, prefix string) iter.Seq[MapChange] {
	return func(yield func(MapChange) bool) {
		w := mapWatch{prefix: prefix, known: map[string]uint64{}}
		for failures := 0; ctx.Err() == nil; {
			r, err := m.engine.request(ctx, w.next())
			switch {
			case err != nil:
				return
			case r.Code == core.OK:
				failures = 0
				for _, c := range w.take(r) {
					if !yield(c) {
						return
					}
				}
				continue
			}
			failures++
			_ = backoff.Sleep(ctx, backoff.Doubling(leastRetry, mostRetry, failures))
		}
	}
}

// mapWatch is how far a watch is.
type mapWatch struct {
	prefix string
	known  map[string]uint64   // the index of each key that was yielded
	since  uint64              // 0: all keys are to be read
	start  uint64              // the index of the first page of keys
	after  string              // the last key of the page before
	pages  map[string]struct{} // the keys of all pages so far
}

// watchTimeout is how long one request for changes waits; then the next one does.
const watchTimeout = time.Minute

func (w *mapWatch) next() core.Watch {
	return core.Watch{Prefix: w.prefix, Since: w.since, After: w.after, Timeout: watchTimeout}
}

// take returns what a result changes.
func (w *mapWatch) take(r core.Result) []MapChange {
	var out []MapChange
	for _, c := range r.Changes {
		known, ok := w.known[c.Key]
		if c.Index > known && (ok || !c.Deleted) {
			out = append(out, w.change(c))
		}
	}
	if !r.Whole {
		w.since = max(w.since, r.Index)
		return out
	}
	return append(out, w.takePage(r)...)
}

// change notes a change of a key.
func (w *mapWatch) change(c core.MapChange) MapChange {
	if c.Deleted {
		delete(w.known, c.Key)
		return MapChange{Entry: Entry{Key: c.Key}, Deleted: true}
	}
	w.known[c.Key] = c.Index
	return MapChange{Entry: Entry{Key: c.Key, Value: string(c.Value), Index: c.Index}}
}

// takePage follows one page of all keys. After the last one, known keys that were on no page are gone; what changed while the pages were read comes after
// the index of the first one.
func (w *mapWatch) takePage(r core.Result) (gone []MapChange) {
	if w.pages == nil {
		w.pages, w.start = map[string]struct{}{}, r.Index
	}
	w.start = min(w.start, r.Index)
	for _, c := range r.Changes {
		w.pages[c.Key] = struct{}{}
		w.after = c.Key
	}
	w.since = 0
	if r.More {
		return nil
	}
	for key, index := range w.known {
		if _, there := w.pages[key]; !there && index <= w.start {
			delete(w.known, key)
			gone = append(gone, MapChange{Entry: Entry{Key: key}, Deleted: true})
		}
	}
	w.since, w.start, w.after, w.pages = w.start, 0, "", nil
	return gone
}

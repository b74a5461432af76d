package scenario

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/goconvoke/convoke/bench/engine"
)

// view is what all members report of each other, as a matrix with times. What a dead member reports does not count.
type view struct {
	mu    sync.Mutex
	n     int
	live  int
	dead  []bool
	lists []bool // observer*n + subject
	pairs int    // true ones in lists
	row   []int  // how many others a member lists
	col   []int  // how many others list a member
	gone  []engine.Event
	since time.Time // when the view last became whole

	subject int // whose value is waited for; -1: none
	value   uint64
	has     []bool
	having  int // true ones in has

	newest []uint64 // observer*n + subject: the highest value seen
	round  uint64   // that all are to have of all
	behind int      // pairs that have not; the members are all alive

	began time.Time
	trace io.Writer // of changes of lists; nil: none

	writes writes // under way and arrived, in scenario busy

	await func() bool // called after each event, nil: no goroutine waits
	met   chan time.Time
}

// newView returns the view of n members, of which the last absent ones do not count until they enter.
func newView(n, absent int) *view {
	return &view{
		n: n, live: n - absent, dead: make([]bool, n), lists: make([]bool, n*n), row: make([]int, n), col: make([]int, n),
		began: time.Now(), subject: -1, has: make([]bool, n), newest: make([]uint64, n*n),
	}
}

// sink takes an event; it is an engine.Sink.
func (v *view) sink(e engine.Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e.Observer == e.Subject || v.dead[e.Observer] {
		return
	}
	if e.Kind == engine.Alive || e.Kind == engine.Gone {
		v.enterListing(e)
	}
	if e.Kind != engine.Gone && e.Subject == v.subject && e.Value >= v.value && !v.has[e.Observer] {
		v.has[e.Observer] = true
		v.having++
	}
	v.keepNewest(e)
	v.wakeWaiter()
}

// keepNewest keeps the newest value of each pair. mu is held.
func (v *view) keepNewest(e engine.Event) {
	at := &v.newest[e.Observer*v.n+e.Subject]
	if e.Kind == engine.Gone || e.Value <= *at {
		return
	}
	if *at < v.round && e.Value >= v.round {
		v.behind--
	}
	v.writes.noteArrival(e.Subject, *at, e.Value)
	*at = e.Value
}

// beginRound starts a round: every member is to have a value of every other that is not lower.
func (v *view) beginRound(round uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.round, v.behind = round, v.n*(v.n-1)
}

// lacking is how many values of the round have not arrived.
func (v *view) lacking() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.behind
}

// enterListing enters who lists whom. mu is held.
func (v *view) enterListing(e engine.Event) {
	at, by := &v.lists[e.Observer*v.n+e.Subject], 1
	if *at == (e.Kind == engine.Alive) {
		return
	}
	if *at {
		by = -1
		v.gone = append(v.gone, e)
	}
	v.traceLine("%d lists %d: %t", e.Observer, e.Subject, !*at)
	*at = !*at
	v.pairs += by
	v.row[e.Observer] += by
	v.col[e.Subject] += by
	if v.isWhole() {
		v.since = time.Now()
	}
}

// traceLine adds a line to the trace. mu is held.
func (v *view) traceLine(format string, args ...any) {
	if v.trace != nil {
		_, _ = fmt.Fprintf(v.trace, "%.3f "+format+"\n", append([]any{time.Since(v.began).Seconds()}, args...)...)
	}
}

// enterMember makes a member count that was absent.
func (v *view) enterMember() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.live++
}

// wakeWaiter wakes the waiter when its condition has come true. mu is held.
func (v *view) wakeWaiter() {
	if v.await != nil && v.await() {
		v.met <- time.Now()
		v.await = nil
	}
}

// until waits for a condition, which is asked under mu, and returns when it came true; false if that was not within the
// limit. One may wait at a time.
func (v *view) until(limit time.Duration, condition func() bool) (time.Time, bool) {
	v.mu.Lock()
	met := make(chan time.Time, 1)
	v.await, v.met = condition, met
	v.wakeWaiter()
	v.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case at := <-met:
		return at, true
	case <-timer.C:
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.await = nil
	return time.Time{}, false
}

// isWhole reports whether every live member lists every other. mu is held.
func (v *view) isWhole() bool { return v.pairs == v.live*(v.live-1) }

// dropObserver drops a member as an observer: its own lists are empty from now on.
func (v *view) dropObserver(i int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dead[i] = true
	v.live--
	for j := range v.n {
		if at := &v.lists[i*v.n+j]; *at {
			*at = false
			v.pairs--
			v.col[j]--
		}
	}
	v.row[i] = 0
}

// followMember has the values of a member watched.
func (v *view) followMember(subject int, value uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.subject, v.value, v.having = subject, value, 0
	clear(v.has)
}

// deathCount returns how many were reported gone since the last forget, if a filter takes them.
func (v *view) deathCount(count func(observer, subject int) bool) float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := 0
	for _, e := range v.gone {
		if count(e.Observer, e.Subject) {
			n++
		}
	}
	return float64(n)
}

// forgetDeaths drops what was reported gone so far.
func (v *view) forgetDeaths() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone = nil
}

// missingCount is how many live members are not listed by another live one.
func (v *view) missingCount() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.live*(v.live-1) - v.pairs
}

// listedCount is how many others a member lists.
func (v *view) listedCount(i int) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.row[i]
}

// Package hist counts durations in buckets of fixed bounds: what a histogram of a metrics system needs, without one.
package hist

import (
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the buckets but the last one, which has none. What stays on a local network, what crosses the world, what
// waits for a busy server, and what ends by a deadline fall into different buckets. They are few because each bucket is a series of each
// histogram.
var bounds = [...]time.Duration{10 * time.Millisecond, 250 * time.Millisecond, time.Second, 5 * time.Second}

// Histogram counts durations. The zero value is empty. Its methods are safe for concurrent use.
type Histogram struct {
	counts [len(bounds) + 1]atomic.Uint64
	sum    atomic.Int64 // ns
}

// Observe counts a duration in the first bucket whose bound is not below it. A negative one, of a clock that was set, counts as 0. It allocates
// nothing and takes no lock.
func (h *Histogram) Observe(d time.Duration) {
	d = max(d, 0)
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Read returns what was counted. It may miss a duration in the sum, or the count, that is observed meanwhile.
func (h *Histogram) Read() Snapshot {
	s := Snapshot{sum: time.Duration(h.sum.Load())}
	for i := range h.counts {
		s.counts[i] = h.counts[i].Load()
	}
	return s
}

// Snapshot is what a [Histogram] had counted at one moment. The zero value has counted nothing.
type Snapshot struct {
	counts [len(bounds) + 1]uint64
	sum    time.Duration
}

// Count returns the number of durations.
func (s Snapshot) Count() (n uint64) {
	for _, c := range s.counts {
		n += c
	}
	return n
}

// Sum returns the sum of the durations.
func (s Snapshot) Sum() time.Duration { return s.sum }

// Buckets returns, for each bound in seconds, the number of durations that are not above it: the form of a classic histogram of Prometheus,
// without the last bucket, which is Count.
func (s Snapshot) Buckets() map[float64]uint64 {
	all := make(map[float64]uint64, len(bounds))
	var n uint64
	for i, b := range bounds {
		n += s.counts[i]
		all[b.Seconds()] = n
	}
	return all
}

package hist

import (
	"maps"
	"sync"
	"testing"
	"time"
)

func TestADurationFallsIntoTheFirstBucketThatHoldsIt(t *testing.T) {
	for _, c := range []struct {
		observed time.Duration
		below    float64 // the greatest bound that does not hold it
		within   float64 // the least one that does; 0: none
	}{
		{-time.Second, 0, 0.01},
		{0, 0, 0.01},
		{10 * time.Millisecond, 0, 0.01},
		{10*time.Millisecond + 1, 0.01, 0.25},
		{time.Second, 0.25, 1},
		{5 * time.Second, 1, 5},
		{time.Hour, 5, 0},
	} {
		var h Histogram
		h.Observe(c.observed)
		s := h.Read()
		for bound, n := range s.Buckets() {
			if want := uint64(0); bound <= c.below && n != want {
				t.Errorf("%v: bucket %v has %d, want %d", c.observed, bound, n, want)
			}
			if c.within != 0 && bound >= c.within && n != 1 {
				t.Errorf("%v: bucket %v has %d, want 1", c.observed, bound, n)
			}
		}
		if s.Count() != 1 || s.Sum() != max(c.observed, 0) {
			t.Errorf("%v: count %d, sum %v", c.observed, s.Count(), s.Sum())
		}
	}
}

func TestConcurrentObservationsAreAllCounted(t *testing.T) {
	var h Histogram
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				h.Observe(20 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	s := h.Read()
	want := map[float64]uint64{0.01: 0, 0.25: 8000, 1: 8000, 5: 8000}
	if got := s.Buckets(); !maps.Equal(got, want) {
		t.Errorf("buckets = %v, want %v", got, want)
	}
	if s.Count() != 8000 || s.Sum() != 160*time.Second {
		t.Errorf("count %d, sum %v; want 8000, 160s", s.Count(), s.Sum())
	}
}

func BenchmarkObserve(b *testing.B) {
	var h Histogram
	b.ReportAllocs()
	for b.Loop() {
		h.Observe(20 * time.Millisecond)
	}
}

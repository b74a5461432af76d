// Package backoff computes the waits between retries and waits them out.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Doubling returns the wait after that many failures in a row: least after the first, twice as long after each further
// one, at most most. Without a failure it is least too.
func Doubling(least, most time.Duration, failures int) time.Duration {
	d := least
	for i := 1; i < failures && d < most; i++ {
		d *= 2
	}
	return min(d, most)
}

// Jitter returns a duration chosen evenly from d*(1-spread) to d*(1+spread), so that nodes started together do not act
// together. spread is in [0, 1]; a nil r means the global source.
func Jitter(r *rand.Rand, d time.Duration, spread float64) time.Duration {
	random := rand.Float64
	if r != nil {
		random = r.Float64
	}
	return d + time.Duration((2*random()-1)*spread*float64(d))
}

// Sleep waits for d, which may be negative. It returns the error of ctx if that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return ctx.Err()
	}
}

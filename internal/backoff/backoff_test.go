package backoff

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheWaitDoublesFromTheLeastToTheMost(t *testing.T) {
	for failures, want := range []time.Duration{1, 1, 2, 4, 8, 10, 10} {
		if got := Doubling(time.Second, 10*time.Second, failures); got != want*time.Second {
			t.Errorf("Doubling after %d failures = %v, want %v", failures, got, want*time.Second)
		}
	}
	if got := Doubling(time.Second, time.Hour, 1<<40); got != time.Hour {
		t.Errorf("Doubling after very many failures = %v, want 1h", got)
	}
	if got := Doubling(time.Minute, time.Second, 1); got != time.Second {
		t.Errorf("Doubling with a least above the most = %v, want the most", got)
	}
}

func TestJitterStaysWithinItsSpreadAndUsesAllOfIt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	low, high := time.Hour, time.Duration(0)
	for range 1000 {
		d := Jitter(r, time.Second, 0.2)
		low, high = min(low, d), max(high, d)
	}
	if low < 800*time.Millisecond || high > 1200*time.Millisecond || low > 810*time.Millisecond || high < 1190*time.Millisecond {
		t.Errorf("1000 waits of 1s ±20 %% lie in %v to %v", low, high)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, c := range []struct {
			d, took time.Duration
			err     error
		}{{300 * time.Millisecond, 300 * time.Millisecond, nil}, {-time.Second, 0, nil}, {time.Hour, 700 * time.Millisecond, context.DeadlineExceeded}} {
			began := time.Now()
			if err := Sleep(ctx, c.d); !errors.Is(err, c.err) || time.Since(began) != c.took {
				t.Errorf("Sleep(%v) = %v after %v, want %v after %v", c.d, err, time.Since(began), c.err, c.took)
			}
		}
	})
}

package keylock

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneHolderOfAKeyAtATimeAndOtherKeysDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var locks Locks
		var wg sync.WaitGroup
		holders := 0 // of "a"; the race detector finds a lock that does not exclude
		began := time.Now()
		for range 20 {
			wg.Go(func() {
				if err := locks.Lock(t.Context(), "a"); err != nil {
					t.Error(err)
					return
				}
				holders++
				time.Sleep(time.Second)
				if holders != 1 {
					t.Errorf("%d holders at once", holders)
				}
				holders--
				locks.Unlock("a")
			})
		}
		wg.Go(func() {
			if err := locks.Lock(t.Context(), "b"); err != nil || time.Since(began) > 0 {
				t.Errorf("the lock of another key was waited for: %v, %v", time.Since(began), err)
			}
			locks.Unlock("b")
		})
		wg.Wait()
		if d := time.Since(began); d != 20*time.Second || len(locks.locks) != 0 {
			t.Errorf("20 holders of 1 s took %v, and %d keys are kept", d, len(locks.locks))
		}
	})
}

func TestAWaitForALockEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var locks Locks
		if err := locks.Lock(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := locks.Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock = %v, want the error of its context", err)
		}
		locks.Unlock("a")
		if err := locks.Lock(t.Context(), "a"); err != nil {
			t.Errorf("after a wait that ended, Lock = %v", err)
		}
		locks.Unlock("a")
		if len(locks.locks) != 0 {
			t.Errorf("%d keys are kept", len(locks.locks))
		}
	})
}

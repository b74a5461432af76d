package integration

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

func TestCallsOnTheMapAreLinearizableWhileLeadersDieAndCablesArePulled(t *testing.T) {
	const clientsFor = 14 * time.Second
	q, names := newQuorum(t, 5, quorumlab.Settings{Lease: shortLease})
	leader := q.settled(names...)
	rest := without(names, leader)
	ctx, cancel := context.WithTimeout(t.Context(), quorumlab.Within)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, n := range rest { // not the leader: its clients would die with it
		wg.Go(func() {
			if err := q.Clients(ctx, n, 3, clientsFor); err != nil {
				t.Error(err)
			}
		})
	}
	wait(t, 2*time.Second)
	q.Kill(leader)
	next := q.settled(rest...)
	q.Lab.Cable(hostOf(t, next), false)
	wait(t, 3*time.Second)
	q.Lab.Cable(hostOf(t, next), true)
	q.Restart(leader)
	q.settled(names...)
	wg.Wait()
	calls := q.Calls()
	t.Log(quorumlab.Describe(calls))
	if len(calls) < 500 {
		t.Errorf("%d calls in %v, so this shows little", len(calls), clientsFor)
	}
	if err := quorumlab.CheckLinear(calls, time.Minute); err != nil {
		t.Error(err)
	}
	if stale := withStaleRead(t, calls); quorumlab.CheckLinear(stale, time.Minute) == nil {
		t.Error("the same calls with a stale read were accepted")
	}
}

// withStaleRead returns calls of which one read returns a value that another client had replaced before the read began.
func withStaleRead(t *testing.T, calls []quorumlab.Call) []quorumlab.Call {
	t.Helper()
	calls = slices.Clone(calls)
	for i, c := range calls {
		if c.Op != "get" || c.Failed {
			continue
		}
		for _, w := range calls { // unique, so that its value is never that of the key again
			if w.Key == c.Key && w.Op == "set" && !w.Failed && !w.OutcomeUnknown && w.End < c.Begin-time.Second && w.Input != c.Output {
				calls[i].Output, calls[i].Found = w.Input, true
				return calls
			}
		}
	}
	t.Fatal("no read has a write a second before it")
	return nil
}

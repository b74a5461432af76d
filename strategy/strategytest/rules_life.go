package strategytest

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func checkReturns(tb testing.TB, s Subject) {
	src, r := startAnswered(tb, s)
	passTime(90 * time.Second)
	r.checkStillRunning()
	r.stop()
	if src.Hang == nil {
		return
	}
	src.Hang()
	r = s.start(tb, src)
	passTime(s.deadline() / 20) // the first lookup hangs
	r.stop()
}

func checkEnded(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	src.Answer(src.Peers)
	st := s.newStrategy(tb, src)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = st.Run(ctx, new(Sink)) // what it returns after the end of its context does not matter
	}()
	select {
	case <-done:
	case <-time.After(returnsWithin):
		tb.Errorf("Run has not returned %v after it was called with a context that had ended", returnsWithin)
	}
}

func checkLeavesNothing(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	src.Answer(src.Peers)
	synctest.Wait()
	before := goroutineStacks()
	r := s.start(tb, src)
	r.awaitCalls(s.deadline(), "a Set of the complete answer", setOf(src.Peers))
	passTime(70 * time.Second)
	r.stop()
	synctest.Wait()
	if stacks := leakedGoroutines(before); len(stacks) > 0 {
		tb.Errorf("Run left %d goroutines behind:\n%s", len(stacks), strings.Join(stacks, "\n\n"))
	}
	calls := len(r.Calls())
	src.Answer(src.Peers[1:])
	passTime(3 * time.Minute)
	if late := r.Calls()[calls:]; len(late) > 0 {
		tb.Errorf("the sink was called after Run had returned: %s", lastCalls(late))
	}
}

func checkOverlap(tb testing.TB, s Subject) {
	src, old := startAnswered(tb, s)
	passTime(time.Minute)
	fresh := s.start(tb, src)
	fresh.awaitCalls(s.deadline(), "a Set of the complete answer by the second Run", setOf(src.Peers))
	passTime(30 * time.Second)
	old.stop()
	passTime(2 * time.Minute)
	fresh.checkStillRunning()
	for name, r := range map[string]*running{"first": old, "second": fresh} {
		for _, c := range r.Calls() {
			if c.Method == Fail {
				tb.Errorf("the %s of two runs had %v", name, c)
			}
			if c.Method == Set && !setOf(src.Peers)([]Call{c}) {
				tb.Errorf("the %s of two runs had %v, want %v", name, c, Addrs(src.Peers))
			}
		}
	}
}

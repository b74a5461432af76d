package strategytest

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func checkReturns(tb testing.TB, s Subject) {
	src, r := answered(tb, s)
	pass(90 * time.Second)
	r.stays()
	r.stop()
	if src.Hang == nil {
		return
	}
	src.Hang()
	r = s.start(tb, src)
	pass(s.deadline() / 20) // the first lookup hangs
	r.stop()
}

func checkEnded(tb testing.TB, s Subject) {
	src := setup(tb, s)
	src.Answer(src.Peers)
	st := s.make(tb, src)
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
	src := setup(tb, s)
	src.Answer(src.Peers)
	synctest.Wait()
	before := goroutines()
	r := s.start(tb, src)
	r.within(s.deadline(), "a Set of the complete answer", setOf(src.Peers))
	pass(70 * time.Second)
	r.stop()
	synctest.Wait()
	if stacks := leaked(before); len(stacks) > 0 {
		tb.Errorf("Run left %d goroutines behind:\n%s", len(stacks), strings.Join(stacks, "\n\n"))
	}
	calls := len(r.Calls())
	src.Answer(src.Peers[1:])
	pass(3 * time.Minute)
	if late := r.Calls()[calls:]; len(late) > 0 {
		tb.Errorf("the sink was called after Run had returned: %s", brief(late))
	}
}

func checkOverlap(tb testing.TB, s Subject) {
	src, old := answered(tb, s)
	pass(time.Minute)
	fresh := s.start(tb, src)
	fresh.within(s.deadline(), "a Set of the complete answer by the second Run", setOf(src.Peers))
	pass(30 * time.Second)
	old.stop()
	pass(2 * time.Minute)
	fresh.stays()
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

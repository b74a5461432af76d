package strategytest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func checkPartial(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	if src.Partial == nil {
		tb.Skip("the source has no incomplete answer")
	}
	some := src.Peers[:1]
	src.Partial(some, errScripted)
	r := s.start(tb, src)
	calls := r.awaitCalls(s.deadline(), "an Add of the known part and a Fail", func(calls []Call) bool {
		return Has(Add)(calls) && Has(Fail)(calls)
	})
	for _, c := range calls {
		if c.Method == Add && !slices.Equal(Addrs(c.Peers), Addrs(some)) {
			tb.Errorf("%v, want the known part: %v", c, Addrs(some))
		}
	}
	passTime(time.Minute)
	r.checkStillRunning()
	checkAddrs(tb, r.Calls())
	noSet(tb, r.Calls(), "a part of the answer was missing")
}

func checkBroken(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	if src.Break == nil {
		tb.Skip("the source cannot break")
	}
	src.Break(errScripted)
	failsInTime(tb, s, src, "the source was broken")
}

func checkHang(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	if src.Hang == nil {
		tb.Skip("the source cannot hang")
	}
	src.Hang()
	r := failsInTime(tb, s, src, "the source hung")
	passTime(50 * time.Millisecond) // most likely amid a lookup
	r.stop()
}

// failsInTime runs against a source that gives no answer: a Fail comes in time and never a Set.
func failsInTime(tb testing.TB, s Subject, src *Source, while string) *running {
	tb.Helper()
	r := s.start(tb, src)
	r.awaitCalls(s.deadline(), "a Fail while "+while, Has(Fail))
	passTime(3 * time.Minute)
	r.checkStillRunning()
	checkAddrs(tb, r.Calls())
	noSet(tb, r.Calls(), while)
	return r
}

// noSet reports a Set, and an Add without a peer, among calls that came without a complete answer.
func noSet(tb testing.TB, calls []Call, while string) {
	tb.Helper()
	for _, c := range calls {
		switch {
		case c.Method == Set:
			tb.Fatalf("%v while %s; no answer is not an answer", c, while)
		case c.Method == Add && len(c.Peers) == 0:
			tb.Fatalf("an Add without a peer while %s", while)
		}
	}
}

func checkKeeps(tb testing.TB, s Subject) {
	src, r := startAnswered(tb, s)
	if src.Break == nil {
		tb.Skip("the source cannot break")
	}
	synctest.Wait()
	src.Break(errScripted)
	fails := countCalls(r.Calls(), Fail)
	since := len(r.Calls())
	r.awaitCalls(s.recovery(), "a Fail after the source broke", func(calls []Call) bool { return countCalls(calls, Fail) > fails })
	passTime(3 * time.Minute)
	r.checkStillRunning()
	noSet(tb, r.Calls()[since:], "the source was broken")
	since = len(r.Calls())
	src.Answer(src.Peers[1:])
	r.awaitCalls(s.recovery(), "a Set after the source was repaired", func(calls []Call) bool {
		return setOf(src.Peers[1:])(calls[since:])
	})
}

func checkGarbage(tb testing.TB, s Subject) {
	src, r := startAnswered(tb, s)
	if src.Garbage == nil {
		tb.Skip("the source cannot give garbage")
	}
	synctest.Wait()
	src.Garbage()
	since := len(r.Calls())
	passTime(s.recovery())
	r.checkStillRunning()
	calls := r.Calls()[since:]
	checkAddrs(tb, calls)
	for _, c := range calls {
		if c.Method == Set && !setOf(src.Peers)([]Call{c}) {
			tb.Fatalf("%v made of garbage, want the last answer to stand: %v", c, Addrs(src.Peers))
		}
	}
}

func checkPanic(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	if src.Panic == nil {
		tb.Skip("the source has no way to panic in the hands of the strategy")
	}
	src.Panic()
	r := s.start(tb, src)
	deadline := time.After(s.deadline())
	for !Has(Fail)(r.Calls()) {
		select {
		case <-deadline:
			tb.Fatalf("neither a crash nor a Fail within %v of a panic", s.deadline())
		case <-time.After(100 * time.Millisecond):
		}
	}
	if r.silentCrash() {
		tb.Errorf("Run returned without an error after a panic")
	}
	r.checkStillRunning()
	noSet(tb, r.Calls(), "the source panicked")
}

package strategytest

import (
	"testing"
	"testing/synctest"
	"time"
)

// startAnswered starts a Run against a source that answers with all its peers and waits for that answer.
func startAnswered(tb testing.TB, s Subject) (*Source, *running) {
	tb.Helper()
	src := newSource(tb, s)
	src.Answer(src.Peers)
	r := s.start(tb, src)
	r.awaitCalls(s.deadline(), "a Set of the complete answer", setOf(src.Peers))
	return src, r
}

func checkAnswers(tb testing.TB, s Subject) {
	_, r := startAnswered(tb, s)
	passTime(2 * time.Minute)
	r.checkStillRunning()
	calls := r.Calls()
	checkAddrs(tb, calls)
	if n := countCalls(calls, Fail); n > 0 {
		tb.Errorf("%d Fails from a source that answers: %s", n, lastCalls(calls))
	}
}

func checkRepeats(tb testing.TB, s Subject) {
	src, r := startAnswered(tb, s)
	passTime(6 * time.Minute)
	r.checkStillRunning()
	var last time.Time
	for _, c := range append(r.Calls(), Call{At: time.Now(), Method: Set, Peers: src.Peers}) {
		if c.Method != Set {
			continue
		}
		if gap := c.At.Sub(last); !last.IsZero() && gap > repeatedWithin {
			tb.Errorf("%v passed between two Sets of an answer that holds, want at most %v", gap, repeatedWithin)
		}
		last = c.At
		if !setOf(src.Peers)([]Call{c}) {
			tb.Errorf("%v, want the answer that holds: %v", c, Addrs(src.Peers))
		}
	}
}

func checkFollows(tb testing.TB, s Subject) {
	src, r := startAnswered(tb, s)
	synctest.Wait()
	src.Answer(src.Peers[1:])
	r.awaitCalls(s.recovery(), "a Set of the smaller answer", setOf(src.Peers[1:]))
	synctest.Wait()
	src.Answer(src.Peers)
	r.awaitCalls(s.recovery(), "a Set of the larger answer", setOf(src.Peers))
	checkAddrs(tb, r.Calls())
}

func checkEmpty(tb testing.TB, s Subject) {
	src := newSource(tb, s)
	if src.Empty == nil {
		tb.Skip("the source has no complete answer without a peer")
	}
	src.Empty()
	r := s.start(tb, src)
	calls := r.awaitCalls(s.deadline(), "a Set without a peer", Has(Set))
	if last := calls[len(calls)-1]; last.Method != Set || len(last.Peers) > 0 {
		tb.Errorf("%v for a source without peers, want Set()", last)
	}
	if n := countCalls(r.Calls(), Fail); n > 0 {
		tb.Errorf("%d Fails from a source that answers: %s", n, lastCalls(r.Calls()))
	}
}

func checkSlices(tb testing.TB, s Subject) {
	src, r := startAnswered(tb, s)
	passTime(2 * time.Minute)
	if src.Partial != nil {
		src.Partial(src.Peers[:1], errScripted)
		passTime(2 * time.Minute)
	}
	if r.sliceReused() {
		tb.Errorf("a slice was written to after it was handed over; it belongs to the sink then")
	}
	for _, c := range r.Calls() {
		for _, p := range c.Peers {
			if p.Addr == scribble {
				tb.Fatalf("%s handed over a slice for the second time; it belonged to the sink already", c.Method)
			}
		}
	}
}

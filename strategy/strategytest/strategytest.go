// Package strategytest checks that a strategy keeps the contract of package strategy, and lends
// working fakes to its tests: a [Sink] that records and a [Resolver] that follows a script.
//
// One call checks a strategy:
//
//	func TestContract(t *testing.T) {
//		strategytest.Run(t, strategytest.Subject{
//			Kind:  mine.Kind,
//			Setup: func(tb testing.TB) *strategytest.Source { … },
//		})
//	}
//
// Every rule runs as a subtest in a bubble of its own (testing/synctest), where time is fake and passes
// only while all goroutines wait. The source must therefore be part of the bubble: a fake in memory, or files, whose
// system calls return at once. A real socket stops the clock. A rule about something that the source
// cannot do is skipped with a message.
//
// The suite does as the supervisor does when Run returns early or panics: it records the crash like a Fail, makes a
// new strategy and runs it after 1 s, doubling to 60 s. A permanent error is not restarted, and is reported where the source can
// recover.
package strategytest

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// Subject is the strategy to check.
type Subject struct {
	Kind strategy.AnyKind // the kind under test

	// Setup makes a source and the configuration that leads to it. It is called inside the bubble, once
	// for each rule; clean up with tb.Cleanup.
	Setup func(tb testing.TB) *Source

	// Deadline is the time within which the strategy makes its first call, its own deadline
	// for a lookup and a bit. 0 means 11 s.
	Deadline time.Duration

	// Recovery is the time within which an answer is seen after a source was broken. 0 means 3 min.
	Recovery time.Duration
}

// Source is what a strategy asks, under the control of a rule. Each function changes what the source does
// from then on. A nil function means that there is no such state. After Setup the source is in any state.
type Source struct {
	Config string       // a good configuration in YAML, the `config` of a topology
	Env    strategy.Env // lent to the strategy

	// Peers are what the source can answer, at least two. The contract knows them by their addresses. nil
	// means 10.0.0.1:7946, 10.0.0.2:7946 and 10.0.0.3:7946.
	Peers []peer.Peer

	Answer  func(all []peer.Peer)               // required: a complete answer of one or more of Peers
	Empty   func()                              // a complete answer without a peer
	Partial func(some []peer.Peer, cause error) // these are known, the rest is not
	Break   func(cause error)                   // no answer
	Hang    func()                              // no answer and no error either, until the context ends
	Garbage func()                              // something that is not an answer
	Panic   func()                              // the source panics in the hands of the strategy
}

// New makes a strategy of a kind as a topology does: the configuration is validated and the Env filled in. A configuration
// that is refused fails the test.
func New[C any](tb testing.TB, kind strategy.Kind[C], config C, env strategy.Env) strategy.Strategy {
	tb.Helper()
	configured, err := kind.Configure(config)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := configured.New(env)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

const (
	defaultDeadline = 11 * time.Second
	defaultRecovery = 3 * time.Minute
	returnsWithin   = time.Second // "soon after" the end of the context
	repeatedWithin  = time.Minute
)

var errScripted = errors.New("strategytest: the source was set to fail")

// Run checks every rule of the contract.
func Run(t *testing.T, s Subject) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			var inside skipper
			synctest.Test(t, func(t *testing.T) {
				inside.TB = t
				r.check(&inside, s)
			})
			if inside.reason != "" {
				t.Skip(inside.reason)
			}
		})
	}
}

// skipper carries the reason of a skip out of the bubble.
type skipper struct {
	testing.TB
	reason string
}

// Skip skips the rest of the rule.
func (s *skipper) Skip(args ...any) {
	s.reason = fmt.Sprint(args...)
	s.SkipNow()
}

// rule is one promise that a strategy makes.
type rule struct {
	name  string
	check func(tb testing.TB, s Subject)
}

var rules = []rule{
	{"has a name and a line of documentation", checkNamed},
	{"takes its good configuration and refuses an unknown key", checkStrict},
	{"New asks nothing and starts nothing", checkNew},
	{"gives the complete answer in time", checkAnswers},
	{"repeats the answer at least once a minute", checkRepeats},
	{"follows a change of the answer", checkFollows},
	{"gives an empty complete answer when there is no peer", checkEmpty},
	{"adds what it knows and fails when a part is missing", checkPartial},
	{"fails in time when the source is broken from the start", checkBroken},
	{"keeps the answer when the source breaks, and recovers", checkKeeps},
	{"fails in time when the source hangs", checkHang},
	{"takes garbage for no complete answer", checkGarbage},
	{"contains a panic or returns it", checkPanic},
	{"returns soon after its context ends", checkReturns},
	{"returns when its context ended before", checkEnded},
	{"leaves no goroutine behind and does not call the sink after it returned", checkLeavesNothing},
	{"gives its slices away", checkSlices},
	{"two runs of one configuration do not disturb each other", checkOverlap},
}

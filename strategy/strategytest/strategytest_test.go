package strategytest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// memorySource is a source in memory that knows every state.
type memorySource struct {
	mu     sync.Mutex
	lookup strategy.Lookup
	at     int // counts the changes
}

func (m *memorySource) setLookup(l strategy.Lookup) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lookup = l
	m.at++
}

func (m *memorySource) ask(ctx context.Context) ([]peer.Peer, error) {
	m.mu.Lock()
	l := m.lookup
	m.mu.Unlock()
	return l(ctx)
}

var errGarbage = errors.New("garbage")

func (m *memorySource) source() *Source {
	always := func(peers []peer.Peer, err error) {
		peers = slices.Clone(peers)
		m.setLookup(func(context.Context) ([]peer.Peer, error) { return peers, err })
	}
	always(nil, errors.New("the source has no answer"))
	return &Source{
		Config:  "interval: 5s",
		Answer:  func(all []peer.Peer) { always(all, nil) },
		Empty:   func() { always(nil, nil) },
		Partial: always,
		Break:   func(cause error) { always(nil, cause) },
		Garbage: func() { always(nil, errGarbage) },
		Hang: func() {
			m.setLookup(func(ctx context.Context) ([]peer.Peer, error) { <-ctx.Done(); return nil, ctx.Err() })
		},
		Panic: func() { m.setLookup(func(context.Context) ([]peer.Peer, error) { panic("scripted") }) },
	}
}

type config struct {
	strategy.PollConfig `yaml:",inline"`
}

// maker makes a strategy of a source, well or badly.
type maker func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error)

func good(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
	return strategy.Poll(m.ask, c.PollConfig, env), nil
}

// subject makes a subject of a maker.
func subject(mk maker) Subject {
	m := new(memorySource)
	return Subject{
		Kind: strategy.Kind[config]{
			Name: "memory", Doc: "peers in memory", Default: config{strategy.DefaultPoll()},
			New: func(c config, env strategy.Env) (strategy.Strategy, error) { return mk(m, c, env) },
		},
		Setup: func(testing.TB) *Source { return m.source() },
	}
}

func TestAGoodStrategyKeepsEveryRuleAndSkipsNone(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			rec := examine(t, r.check, subject(good))
			if len(rec.reports) > 0 || rec.skipped {
				t.Errorf("reports %q, skipped %t, want neither", rec.reports, rec.skipped)
			}
		})
	}
}

func TestRun(t *testing.T) { Run(t, subject(good)) }

func TestARuleAboutWhatTheSourceCannotDoIsSkipped(t *testing.T) {
	for name, check := range map[string]func(testing.TB, Subject){
		"Empty": checkEmpty, "Partial": checkPartial, "Break": checkBroken, "keeps": checkKeeps,
		"Hang": checkHang, "Garbage": checkGarbage, "Panic": checkPanic,
	} {
		t.Run(name, func(t *testing.T) {
			s := subject(good)
			setup := s.Setup
			s.Setup = func(tb testing.TB) *Source {
				src := setup(tb)
				return &Source{Config: src.Config, Answer: src.Answer}
			}
			if rec := examine(t, check, s); !rec.skipped || len(rec.reports) > 0 {
				t.Errorf("skipped %t, reports %q, want a skip alone", rec.skipped, rec.reports)
			}
		})
	}
}

func TestASubjectWithoutASourceIsReported(t *testing.T) {
	for name, src := range map[string]*Source{
		"nil":       nil,
		"no answer": {},
		"one peer":  {Answer: func([]peer.Peer) {}, Peers: []peer.Peer{{Addr: "10.0.0.1:1"}}},
		"bad yaml":  {Answer: func([]peer.Peer) {}, Config: "a: ["},
	} {
		t.Run(name, func(t *testing.T) {
			s := subject(good)
			s.Setup = func(testing.TB) *Source { return src }
			if rec := examine(t, checkAnswers, s); len(rec.reports) == 0 {
				t.Error("no report")
			}
		})
	}
}

// recorder is a testing.TB that keeps the reports of a rule to itself.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	reports  []string
	skipped  bool
	cleanups []func()
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skip(...any) {
	r.skipped = true
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// examine runs one rule in a bubble and returns what it reported.
func examine(t *testing.T, check func(testing.TB, Subject), s Subject) *recorder {
	t.Helper()
	rec := new(recorder)
	synctest.Test(t, func(t *testing.T) {
		rec.TB = t
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				for _, f := range slices.Backward(rec.cleanups) {
					f()
				}
			}()
			check(rec, s)
		}()
		<-done
		time.Sleep(time.Hour) // what was left behind on purpose ends by then
	})
	return rec
}

// mustReport examines a subject that breaks a rule.
func mustReport(t *testing.T, check func(testing.TB, Subject), s Subject, want string) {
	t.Helper()
	rec := examine(t, check, s)
	if !slices.ContainsFunc(rec.reports, func(r string) bool { return strings.Contains(r, want) }) {
		t.Errorf("reports %q, want one with %q", rec.reports, want)
	}
}

package strategytest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// loop calls round every second until ctx is done.
func loop(ctx context.Context, round func()) error {
	for {
		round()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// run is a Run of a bad strategy: it asks m and misuses out.
type run func(ctx context.Context, m *memorySource, out strategy.Sink) error

func (f run) maker() maker {
	return func(m *memorySource, _ config, _ strategy.Env) (strategy.Strategy, error) {
		return strategy.Func(func(ctx context.Context, out strategy.Sink) error { return f(ctx, m, out) }), nil
	}
}

// pollingThrough polls as it should, but each answer passes through f before.
func pollingThrough(f func(peers []peer.Peer, err error) ([]peer.Peer, error)) maker {
	return func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		return strategy.Poll(func(ctx context.Context) ([]peer.Peer, error) { return f(m.ask(ctx)) }, c.PollConfig, env), nil
	}
}

// wrapping lets f run the good strategy.
func wrapping(f func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error) maker {
	return func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		st, err := good(m, c, env)
		return strategy.Func(func(ctx context.Context, out strategy.Sink) error { return f(ctx, st, out) }), err
	}
}

// filter is a sink that passes calls on through functions; nil passes them on unchanged.
type filter struct {
	strategy.Sink
	set  func(strategy.Sink, []peer.Peer)
	fail func(strategy.Sink, error)
}

func (f filter) Set(all []peer.Peer) {
	if f.set == nil {
		f.Sink.Set(all)
		return
	}
	f.set(f.Sink, all)
}

func (f filter) Fail(err error) {
	if f.fail == nil {
		f.Sink.Fail(err)
		return
	}
	f.fail(f.Sink, err)
}

func filtered(f filter) maker {
	return wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
		f := f
		f.Sink = out
		return good.Run(ctx, f)
	})
}

type broken struct {
	name  string
	check func(testing.TB, Subject)
	make  maker
	want  string // in the report
}

var brokenAnswers = []broken{
	{"never calls", checkAnswers, run(func(ctx context.Context, _ *memorySource, _ strategy.Sink) error {
		<-ctx.Done()
		return ctx.Err()
	}).maker(), "a Set of the complete answer"},
	{"forgets a peer", checkAnswers, pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
		return p[1:], err
	}), "a Set of the complete answer"},
	{"answers and fails", checkAnswers, filtered(filter{set: func(out strategy.Sink, all []peer.Peer) {
		out.Set(all)
		out.Fail(errors.New("and yet"))
	}}), "from a source that answers"},
	{"returns early", checkAnswers, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		p, _ := m.ask(ctx)
		out.Set(append([]peer.Peer{}, p...))
		return errors.New("that is all")
	}).maker(), "that is all"},
	{"panics out of the blue", checkAnswers, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		p, _ := m.ask(ctx)
		out.Set(append([]peer.Peer{}, p...))
		panic("out of the blue")
	}).maker(), "out of the blue"},
	{"addresses as they come", checkAnswers, filtered(filter{set: func(out strategy.Sink, all []peer.Peer) {
		out.Add([]peer.Peer{{Addr: "Node.Example.:07946"}})
		out.Set(all)
	}}), "is not canonical"},
	{"a peer twice", checkAnswers, filtered(filter{set: func(out strategy.Sink, all []peer.Peer) {
		out.Add([]peer.Peer{all[0], all[0]})
		out.Set(all)
	}}), "is there twice"},
	{"sets once", checkRepeats, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		p, _ := m.ask(ctx)
		out.Set(append([]peer.Peer{}, p...))
		<-ctx.Done()
		return ctx.Err()
	}).maker(), "passed between two Sets"},
	{"sets another answer now and then", checkRepeats, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		n := 0
		return pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
			if n++; n%7 == 0 {
				return p[1:], err
			}
			return p, err
		})(m, c, env)
	}, "want the answer that holds"},
	{"asks once", checkFollows, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		p, _ := m.ask(ctx)
		return loop(ctx, func() { out.Set(append([]peer.Peer{}, p...)) })
	}).maker(), "a Set of the smaller answer"},
	{"never takes a peer back", checkFollows, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		least := 1 << 10
		return pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
			least = min(least, len(p))
			return p[:least], err
		})(m, c, env)
	}, "a Set of the larger answer"},
	{"empty is an error", checkEmpty, pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
		if len(p) == 0 {
			err = errors.New("no peer there")
		}
		return p, err
	}), "a Set without a peer"},
	{"empty is an error too", checkEmpty, filtered(filter{set: func(out strategy.Sink, all []peer.Peer) {
		out.Fail(errors.New("no peer there"))
		out.Set(all)
	}}), "from a source that answers"},
	{"hands a slice over twice", checkSlices, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		p, _ := m.ask(ctx)
		mine := append([]peer.Peer{}, p...)
		first := true
		return loop(ctx, func() {
			out.Set(mine)
			if first {
				copy(mine, p)
				first = false
			}
		})
	}).maker(), "for the second time"},
	{"writes to a slice it gave away", checkSlices, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		p, _ := m.ask(ctx)
		return loop(ctx, func() {
			mine := append([]peer.Peer{}, p...)
			out.Set(mine)
			mine[0] = peer.Peer{Addr: "10.9.9.9:1"}
		})
	}).maker(), "was written to after"},
}

var brokenFailures = []broken{
	{"a part is the whole", checkPartial, pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
		if len(p) > 0 {
			err = nil
		}
		return p, err
	}), "an Add of the known part"},
	{"a part is the whole too", checkPartial, filtered(filter{fail: func(out strategy.Sink, err error) {
		out.Fail(err)
		out.Set(nil)
	}}), "while a part of the answer was missing"},
	{"a part is nothing", checkPartial, pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
		if err != nil {
			p = nil
		}
		return p, err
	}), "an Add of the known part"},
	{"adds another peer", checkPartial, pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
		return append(p[:len(p):len(p)], peer.Peer{Addr: "10.9.9.9:1"}), err
	}), "want the known part"},
	{"an error is no peer", checkBroken, pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
		return p, nil
	}), "a Fail while the source was broken"},
	{"fails and is no peer", checkBroken, filtered(filter{fail: func(out strategy.Sink, err error) {
		out.Fail(err)
		out.Set(nil)
	}}), "no answer is not an answer"},
	{"fails and adds no peer", checkBroken, filtered(filter{fail: func(out strategy.Sink, err error) {
		out.Fail(err)
		out.Add(nil)
	}}), "an Add without a peer"},
	{"fails without an error", checkBroken, filtered(filter{fail: func(out strategy.Sink, err error) {
		out.Fail(nil)
	}}), "without an error"},
	{"silent about an error", checkKeeps, filtered(filter{fail: func(strategy.Sink, error) {}}), "a Fail after the source broke"},
	{"an error drops every peer", checkKeeps, filtered(filter{fail: func(out strategy.Sink, err error) {
		out.Fail(err)
		out.Set(nil)
	}}), "no answer is not an answer"},
	{"an error repeats the last answer", checkKeeps, wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
		var last []peer.Peer
		return good.Run(ctx, filter{
			Sink: out,
			set: func(out strategy.Sink, all []peer.Peer) {
				last = append([]peer.Peer{}, all...)
				out.Set(all)
			},
			fail: func(out strategy.Sink, err error) { out.Fail(err); out.Set(append([]peer.Peer{}, last...)) },
		})
	}), "no answer is not an answer"},
	{"never recovers", checkKeeps, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		failed := errors.New("for good")
		dead := false
		return loop(ctx, func() {
			p, err := m.ask(ctx)
			if dead = dead || err != nil; dead {
				out.Fail(failed)
				return
			}
			out.Set(append([]peer.Peer{}, p...))
		})
	}).maker(), "a Set after the source was repaired"},
	{"waits for ever", checkHang, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		return loop(ctx, func() {
			if p, err := m.ask(ctx); err == nil {
				out.Set(append([]peer.Peer{}, p...))
			}
		})
	}).maker(), "a Fail while the source hung"},
	{"takes garbage for no peer", checkGarbage, pollingThrough(func(p []peer.Peer, err error) ([]peer.Peer, error) {
		if errors.Is(err, errGarbage) {
			err = nil
		}
		return p, err
	}), "made of garbage"},
	{"a panic is no peer", checkPanic, run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
		return loop(ctx, func() {
			defer func() {
				if recover() != nil {
					out.Set(nil)
					out.Fail(errors.New("panic"))
				}
			}()
			_, _ = m.ask(ctx)
		})
	}).maker(), "while the source panicked"},
	{"a panic is nothing", checkPanic, run(func(ctx context.Context, m *memorySource, _ strategy.Sink) error {
		return loop(ctx, func() {
			defer func() { _ = recover() }()
			_, _ = m.ask(ctx)
		})
	}).maker(), "neither a crash nor a Fail"},
	{"a panic is a good end", checkPanic, run(func(ctx context.Context, m *memorySource, _ strategy.Sink) error {
		defer func() { _ = recover() }()
		_, _ = m.ask(ctx)
		return nil
	}).maker(), "without an error after a panic"},
}

var brokenLives = []broken{
	{"is slow to return", checkReturns, wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
		err := good.Run(ctx, out)
		time.Sleep(10 * time.Second)
		return err
	}), "has not returned"},
	{"ignores its ctx amid a lookup", checkReturns, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		return strategy.Poll(func(ctx context.Context) ([]peer.Peer, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			return m.ask(ctx)
		}, c.PollConfig, env), nil
	}, "has not returned"},
	{"begins although its time is over", checkEnded, run(func(ctx context.Context, _ *memorySource, _ strategy.Sink) error {
		time.Sleep(time.Minute)
		return ctx.Err()
	}).maker(), "has not returned"},
	{"leaves a goroutine behind", checkLeavesNothing, wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
		go time.Sleep(10 * time.Minute)
		return good.Run(ctx, out)
	}), "left 1 goroutines behind"},
	{"calls after it returned", checkLeavesNothing, wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
		err := good.Run(ctx, out)
		time.AfterFunc(time.Minute, func() { out.Fail(errors.New("still here")) })
		return err
	}), "still here"},
	{"only one at a time", checkOverlap, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		st, err := good(m, c, env)
		return strategy.Func(func(ctx context.Context, out strategy.Sink) error {
			m.mu.Lock()
			taken := m.at < 0
			m.at = -1
			m.mu.Unlock()
			if taken {
				return errors.New("the port is taken")
			}
			return st.Run(ctx, out)
		}), err
	}, "by the second Run"},
	{"finds itself", checkOverlap, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		return wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
			m.mu.Lock()
			m.at += 100
			m.mu.Unlock()
			sets := 0 // of this run, while there are two
			return good.Run(ctx, filter{Sink: out, set: func(out strategy.Sink, all []peer.Peer) {
				m.mu.Lock()
				runs := m.at / 100
				m.mu.Unlock()
				if runs > 1 && len(all) > 0 {
					if sets++; sets%2 == 0 {
						all = append(all, peer.Peer{Addr: "10.9.9.9:1"})
					}
				}
				out.Set(all)
			}})
		})(m, c, env)
	}, "of two runs had Set"},
	{"the old one disturbs the new one", checkOverlap, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		return wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
			err := good.Run(ctx, out)
			m.setLookup(func(context.Context) ([]peer.Peer, error) { return nil, fmt.Errorf("closed") })
			return err
		})(m, c, env)
	}, "of two runs had Fail"},
	{"waits in New", checkNew, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		time.Sleep(time.Second)
		return good(m, c, env)
	}, "New took 2s"},
	{"needs its source in New", checkNew, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		if _, err := m.ask(context.Background()); err != nil {
			return nil, err
		}
		return good(m, c, env)
	}, "New without a source"},
	{"resolves in New", checkNew, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		_, _ = env.Resolver.LookupNetIP(context.Background(), "ip", "peers.test")
		return good(m, c, env)
	}, "New asked the resolver 2 times"},
	{"starts in New", checkNew, func(m *memorySource, c config, env strategy.Env) (strategy.Strategy, error) {
		go time.Sleep(time.Minute)
		return good(m, c, env)
	}, "New started 2 goroutines"},
	{"refuses its good configuration", checkStrict, func(*memorySource, config, strategy.Env) (strategy.Strategy, error) {
		return nil, nil
	}, "refused"},
}

func TestABrokenStrategyIsReported(t *testing.T) {
	for _, table := range [][]broken{brokenAnswers, brokenFailures, brokenLives} {
		for _, b := range table {
			t.Run(b.name, func(t *testing.T) {
				s := subject(b.make)
				if b.want == "refused" {
					setup := s.Setup
					s.Setup = func(tb testing.TB) *Source {
						src := setup(tb)
						src.Config = "interval: 1ns"
						return src
					}
				}
				mustReport(t, b.check, s, b.want)
			})
		}
	}
}

// anyKeys takes every key.
type anyKeys map[string]string

func TestALooseConfigurationIsReported(t *testing.T) {
	s := subject(good)
	s.Kind = strategy.Kind[anyKeys]{Name: "loose", Doc: "takes everything", New: func(anyKeys, strategy.Env) (strategy.Strategy, error) {
		return nil, nil
	}}
	for _, config := range []string{"interval: 5s", "{interval: 5s}", "{}"} {
		setup := s.Setup
		s.Setup = func(tb testing.TB) *Source {
			src := setup(tb)
			src.Config = config
			return src
		}
		mustReport(t, checkStrict, s, "is taken, want an error")
	}
}

func TestAKindWithoutNameOrDocIsReported(t *testing.T) {
	s := subject(good)
	s.Kind = strategy.Kind[config]{Doc: "nameless"}
	mustReport(t, checkNamed, s, "cannot be registered")
	s.Kind = strategy.Kind[config]{Name: "mute", New: func(config, strategy.Env) (strategy.Strategy, error) { return nil, nil }}
	mustReport(t, checkNamed, s, "want one line")
}

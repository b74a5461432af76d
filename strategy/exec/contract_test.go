package exec

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
	"github.com/goconvoke/convoke/strategy/strategytest"
)

// The contract runs on programs in memory, because a process does not keep to the clock of a bubble. What
// processes do is checked in run_test.go.
func TestContract(t *testing.T) {
	var current *script // of the rule that runs
	kind := Kind
	kind.New = func(c Config, env strategy.Env) (strategy.Strategy, error) {
		return strategyOf(c, env, current.run), nil
	}
	strategytest.Run(t, strategytest.Subject{
		Kind: kind,
		Setup: func(testing.TB) *strategytest.Source {
			current = new(script)
			return current.source()
		},
	})
}

// script is a program that follows a script.
type script struct {
	mu sync.Mutex
	do func(ctx context.Context) (string, error)
}

func (s *script) run(ctx context.Context, _ program) ([]byte, error) {
	s.mu.Lock()
	do := s.do
	s.mu.Unlock()
	output, err := do(ctx)
	if err != nil {
		return nil, err
	}
	return []byte(output), nil
}

func (s *script) set(do func(ctx context.Context) (string, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.do = do
}

func (s *script) prints(output string) {
	s.set(func(context.Context) (string, error) { return output, nil })
}

func (s *script) source() *strategytest.Source {
	s.prints("")
	lines := func(peers []peer.Peer) string { return strings.Join(strategytest.Addrs(peers), "\n") }
	return &strategytest.Source{
		Config:  "command: [peers]",
		Answer:  func(all []peer.Peer) { s.prints(lines(all)) },
		Empty:   func() { s.prints("") },
		Partial: func(some []peer.Peer, _ error) { s.prints(lines(some) + "\nnot a host\n") },
		Break: func(error) {
			s.set(func(context.Context) (string, error) { return "", errors.New("exit status 1") })
		},
		Hang: func() {
			s.set(func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() })
		},
		Garbage: func() { s.prints("\x00\x7fELF\n") },
		Panic:   func() { s.set(func(context.Context) (string, error) { panic("on purpose") }) },
	}
}

package strategytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/goconvoke/convoke/peer"
	"github.com/goconvoke/convoke/strategy"
)

// untilError asks every second and returns the first error instead of a retry of its own.
var untilError = run(func(ctx context.Context, m *memorySource, out strategy.Sink) error {
	for {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		p, err := m.ask(limited)
		cancel()
		if err != nil {
			if len(p) > 0 {
				out.Add(append([]peer.Peer{}, p...))
			}
			return err
		}
		out.Set(append([]peer.Peer{}, p...))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}).maker()

func TestAStrategyThatReturnsEarlyAndIsRestartedKeepsTheContract(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			rec := examine(t, r.check, subject(untilError))
			if len(rec.reports) > 0 || rec.skipped {
				t.Errorf("reports %q, skipped %t, want neither", rec.reports, rec.skipped)
			}
		})
	}
}

func TestAPermanentErrorOfARepairableSourceIsReported(t *testing.T) {
	permanent := wrapping(func(ctx context.Context, good strategy.Strategy, out strategy.Sink) error {
		return strategy.Permanent(errors.New("no restart can help"))
	})
	mustReport(t, checkBroken, subject(permanent), "permanent error")
}

package strategytest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goconvoke/convoke/peer"
)

// Method is the method of a sink that was called.
type Method string

// The methods of a sink.
const (
	Set  Method = "Set"
	Add  Method = "Add"
	Fail Method = "Fail"
)

// Call is one call that a [Sink] took.
type Call struct {
	At     time.Time
	Method Method
	Peers  []peer.Peer // of Set and Add; a copy
	Err    error       // of Fail
}

// String returns the call as people would write it: Set(10.0.0.1:7946), Fail(no route).
func (c Call) String() string {
	if c.Method == Fail {
		return fmt.Sprintf("Fail(%v)", c.Err)
	}
	return fmt.Sprintf("%s(%s)", c.Method, strings.Join(Addrs(c.Peers), " "))
}

// Addrs returns the addresses of peers, sorted.
func Addrs(peers []peer.Peer) []string {
	addrs := make([]string, 0, len(peers))
	for _, p := range peers {
		addrs = append(addrs, p.Addr)
	}
	slices.Sort(addrs)
	return addrs
}

// scribble is what a Sink writes over the slices it is given: they are its own.
const scribble = "written-over-by-the-sink:1"

// Sink records every call. The zero Sink is ready for use, also by several goroutines. As the new
// owner of the slices it is given it writes over them, so that a strategy that keeps using one is found out.
type Sink struct {
	mu      sync.Mutex
	calls   []Call
	given   [][]peer.Peer
	changed chan struct{} // closed at the next call; nil while no goroutine waits
}

// Set records a complete answer.
func (s *Sink) Set(all []peer.Peer) { s.record(Call{Method: Set}, all) }

// Add records an incomplete answer.
func (s *Sink) Add(some []peer.Peer) { s.record(Call{Method: Add}, some) }

// Fail records that there was no answer.
func (s *Sink) Fail(err error) { s.record(Call{Method: Fail, Err: err}, nil) }

func (s *Sink) record(c Call, peers []peer.Peer) {
	c.At, c.Peers = time.Now(), slices.Clone(peers)
	for i := range peers {
		peers[i] = peer.Peer{Addr: scribble}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	s.given = append(s.given, peers)
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Calls returns all calls so far, the oldest first.
func (s *Sink) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Since returns the calls at or after a time.
func (s *Sink) Since(t time.Time) []Call {
	return slices.DeleteFunc(s.Calls(), func(c Call) bool { return c.At.Before(t) })
}

// WaitFor waits until cond holds for the calls so far and returns them. When ctx ends before, it
// returns them with the error of ctx.
func (s *Sink) WaitFor(ctx context.Context, cond func([]Call) bool) ([]Call, error) {
	for {
		s.mu.Lock()
		calls := slices.Clone(s.calls)
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		if cond(calls) {
			return calls, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return calls, ctx.Err()
		}
	}
}

// sliceReused reports whether a slice was written to after it was handed over.
func (s *Sink) sliceReused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, peers := range s.given {
		for _, p := range peers {
			if p.Addr != scribble {
				return true
			}
		}
	}
	return false
}

// Has returns a condition for [Sink.WaitFor]: some call is of method m.
func Has(m Method) func([]Call) bool {
	return func(calls []Call) bool { return countCalls(calls, m) > 0 }
}

// countCalls returns how many calls are of method m.
func countCalls(calls []Call, m Method) (n int) {
	for _, c := range calls {
		if c.Method == m {
			n++
		}
	}
	return n
}

// Summary returns the different calls without their repetitions, sorted: "Add(10.0.0.1:7946) Fail".
// Errors are left out.
func Summary(calls []Call) string {
	var all []string
	for _, c := range calls {
		if c.Method == Fail {
			all = append(all, string(Fail))
			continue
		}
		all = append(all, c.String())
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(a, b) })
	return strings.Join(slices.Compact(all), " ")
}

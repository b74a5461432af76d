package integration

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goconvoke/convoke/integration/quorumlab"
)

const (
	leastCalls    = 40          // of a history
	leastOverlaps = 10          // pairs of calls on one key at once
	judgeWithin   = time.Minute // for the search of an order
)

// recording is a history: the calls of some clients around a fault.
type recording struct {
	name, fault        string
	faultAt, faultOver time.Duration // over: there was a leader again
	calls              []quorumlab.Call
	spans              []quorumlab.Span // of all shards, so far
	leads              []quorumlab.Lead
}

// judge checks that a history is linearizable, that it has what makes this hard, and that it is rejected with a stale read.
func (h *recording) judge(all *figures) error {
	overlaps := h.overlaps()
	begin, end := h.times()
	switch {
	case len(h.calls) < leastCalls || overlaps < leastOverlaps:
		return fmt.Errorf("%d calls, %d pairs of them at once: this shows little", len(h.calls), overlaps)
	case h.faultAt < begin || !slices.ContainsFunc(h.calls, func(c quorumlab.Call) bool { return c.Begin > h.faultOver && !c.Failed }):
		return errors.New("the fault is not in its middle")
	}
	if err := errors.Join(quorumlab.CheckLinear(h.calls, judgeWithin), quorumlab.CheckOwners(h.calls, h.spans, judgeWithin)); err != nil {
		return err
	}
	staleKey, staleOwner := h.withStaleRead(end), h.withStaleOwner(end)
	switch {
	case staleKey == nil:
		return errors.New("no key was written twice, one after the other")
	case quorumlab.CheckLinear(staleKey, judgeWithin) == nil:
		return errors.New("with a stale read of a key it was accepted too")
	case staleOwner != nil && quorumlab.CheckOwners(staleOwner, h.spans, judgeWithin) == nil:
		return errors.New("with a stale read of a holder it was accepted too")
	}
	h.count(all, overlaps, staleOwner != nil)
	return nil
}

// String returns the calls, one in a line, in the order in which they began.
func (h *recording) String() string {
	var b strings.Builder
	for _, c := range h.ordered() {
		fmt.Fprintf(&b, "%+v\n", c)
	}
	return b.String()
}

func (h *recording) ordered() []quorumlab.Call {
	return slices.SortedFunc(slices.Values(h.calls), func(a, b quorumlab.Call) int { return cmp.Compare(a.Begin, b.Begin) })
}

// times returns when the first call began and the last one ended.
func (h *recording) times() (begin, end time.Duration) {
	begin = math.MaxInt64
	for _, c := range h.calls {
		begin, end = min(begin, c.Begin), max(end, c.End)
	}
	return begin, end
}

// overlaps returns how many pairs of calls of different clients on one key, one of them a write, were in progress at once.
func (h *recording) overlaps() (pairs int) {
	sorted := h.ordered()
	for i, c := range sorted {
		for _, later := range sorted[i+1:] {
			if later.Begin > c.End {
				break
			}
			write := c.Op != "get" && c.Op != "owner" || later.Op != "get" && later.Op != "owner"
			if write && c.Key == later.Key && c.Client != later.Client {
				pairs++
			}
		}
	}
	return pairs
}

// withStaleRead returns the calls and, after all of them, a read of a value that was replaced before; nil if none was replaced for certain.
func (h *recording) withStaleRead(end time.Duration) []quorumlab.Call {
	done := func(c quorumlab.Call) bool {
		return c.Group == "" && c.Op != "get" && !c.Failed && !c.OutcomeUnknown
	}
	for _, old := range h.calls {
		for _, later := range h.calls { // inputs are unique, so that the old value is never that of the key again
			if done(old) && done(later) && old.Op == "set" && old.Key == later.Key && old.End < later.Begin {
				stale := quorumlab.Call{Client: "stale", Op: "get", Key: old.Key, Output: old.Input, Found: true, Begin: end + 1, End: end + 2}
				return append(slices.Clone(h.calls), stale)
			}
		}
	}
	return nil
}

// withStaleOwner is the same for a read of the holder of a shard.
func (h *recording) withStaleOwner(end time.Duration) []quorumlab.Call {
	for _, old := range h.calls {
		for _, later := range h.calls {
			if old.Op == "owner" && later.Op == "owner" && !old.Failed && !later.Failed && !old.OutcomeUnknown && !later.OutcomeUnknown && old.Key == later.Key && old.Token < later.Token {
				old.Client, old.Begin, old.End = "stale", end+1, end+2
				return append(slices.Clone(h.calls), old)
			}
		}
	}
	return nil
}

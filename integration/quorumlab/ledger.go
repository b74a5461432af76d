package quorumlab

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goconvoke/convoke/examples/shards/store"
)

// Span is the work of a node on a shard under one token. Times are those of [Now].
type Span struct {
	Node  string
	Group string
	Shard int
	Token uint64
	Begin time.Duration
	Last  time.Duration // the last effect
	End   time.Duration // 0: it goes on
}

// Ledger is the fencing store of a lab with a log of who acted when. Its methods may be called from any goroutine.
type Ledger struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each span that begins or ends
	spans   []*Span
	acts    map[string][]store.Record // of a group, in the order of arrival; Time is when the effect began
	seen    map[string]map[int]uint64 // greatest token by group and shard
	refused map[string]int
	calls   map[string][]Call // by history
	leads   []Lead
}

// Lead is the beginning of leadership.
type Lead struct {
	Node string
	Term uint64
	At   time.Duration // when the node reported it, some time after it began
}

func newLedger() *Ledger {
	return &Ledger{changed: make(chan struct{}), acts: map[string][]store.Record{}, refused: map[string]int{}, calls: map[string][]Call{},
		seen: map[string]map[int]uint64{Exclusive: {}, Fenced: {}}}
}

// add records an event of a node.
func (l *Ledger) add(node string, e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch e.Kind {
	case "begin":
		l.spans = append(l.spans, &Span{Node: node, Group: e.Group, Shard: e.Shard, Token: e.Token, Begin: e.At, Last: e.At})
		l.notify()
	case "act":
		l.act(node, e)
	case "end":
		if s := l.find(node, e); s != nil {
			s.End = e.At
			l.notify()
		}
	case "call":
		l.calls[e.Call.History] = append(l.calls[e.Call.History], *e.Call)
	case "leads":
		l.leads = append(l.leads, Lead{node, e.Term, e.At})
	}
}

// act decides on an effect as a store with fencing does.
func (l *Ledger) act(node string, e event) {
	seen := l.seen[e.Group]
	r := store.Record{Claim: store.Claim{Shard: e.Shard, Token: e.Token, Holder: node}, Time: time.Unix(0, int64(e.At)), Refused: e.Token < seen[e.Shard]}
	seen[e.Shard] = max(seen[e.Shard], e.Token)
	if r.Refused {
		l.refused[e.Group]++
	}
	l.acts[e.Group] = append(l.acts[e.Group], r)
	if s := l.find(node, e); s != nil {
		s.Last = e.At
	}
}

func (l *Ledger) find(node string, e event) *Span {
	for _, s := range slices.Backward(l.spans) {
		if s.Node == node && s.Group == e.Group && s.Shard == e.Shard && s.Token == e.Token && s.End == 0 {
			return s
		}
	}
	return nil
}

// ended notes that the process of a node has ended.
func (l *Ledger) ended(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.spans {
		if s.Node == node && s.End == 0 {
			s.End = max(s.Last, 1)
		}
	}
	l.notify()
}

func (l *Ledger) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Holders returns the newest work on each shard of a group that goes on.
func (l *Ledger) Holders(group string) map[int]Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[int]Span{}
	for _, s := range l.spans {
		if s.Group == group && s.Token >= all[s.Shard].Token {
			all[s.Shard] = *s
		}
	}
	for shard, s := range all {
		if s.End != 0 {
			delete(all, shard)
		}
	}
	return all
}

// Spans returns all work on a group so far, by its beginning.
func (l *Ledger) Spans(group string) []Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Span
	for _, s := range l.spans {
		if s.Group == group {
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b Span) int { return cmp.Compare(a.Begin, b.Begin) })
	return all
}

// History returns the calls of a history that have ended, or whose process has, and forgets them.
func (l *Ledger) History(name string) []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls[name]
	delete(l.calls, name)
	return calls
}

// Leads returns who began to lead so far, in the order of the reports.
func (l *Ledger) Leads() []Lead {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.leads)
}

// Await waits until a condition holds, which is checked with each span that begins or ends, and twenty times a second for what is not in the ledger.
func (l *Ledger) Await(ctx context.Context, holds func() bool) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		l.mu.Lock()
		changed := l.changed
		l.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Check returns an error for each proof that a promise was broken: two holders at one instant in the exclusive group, or one token for two
// holders in the fenced one; and how many effects there were and how many the store refused.
func (l *Ledger) Check() (report string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	report = fmt.Sprintf("%d effects in the exclusive group, %d refused; %d in the fenced one, %d refused",
		len(l.acts[Exclusive]), l.refused[Exclusive], len(l.acts[Fenced]), l.refused[Fenced])
	if err := store.Check(byTime(l.acts[Exclusive])); err != nil {
		return report, fmt.Errorf("%s: %w", Exclusive, err)
	}
	if err := checkFenced(l.acts[Fenced]); err != nil {
		return report, fmt.Errorf("%s: %w", Fenced, err)
	}
	return report, nil
}

// checkFenced returns an error for a token with two holders, and for a write accepted with an old token.
func checkFenced(records []store.Record) error {
	holders, accepted := map[store.Claim]string{}, map[int]uint64{}
	for _, r := range records {
		c := store.Claim{Shard: r.Shard, Token: r.Token}
		if h, ok := holders[c]; ok && h != r.Holder {
			return fmt.Errorf("shard %d: token %d is of %s and of %s", r.Shard, r.Token, h, r.Holder)
		}
		holders[c] = r.Holder
		if r.Refused {
			continue
		}
		if r.Token < accepted[r.Shard] {
			return fmt.Errorf("shard %d: token %d of %s was accepted after token %d", r.Shard, r.Token, r.Holder, accepted[r.Shard])
		}
		accepted[r.Shard] = r.Token
	}
	return nil
}

// byTime returns records in the order in which the effects began, as a store without any delay would have them.
func byTime(records []store.Record) []store.Record {
	sorted := slices.SortedStableFunc(slices.Values(records), func(a, b store.Record) int { return a.Time.Compare(b.Time) })
	seen := map[int]uint64{}
	for i := range sorted {
		r := &sorted[i]
		r.Refused = r.Token < seen[r.Shard]
		seen[r.Shard] = max(seen[r.Shard], r.Token)
	}
	return sorted
}

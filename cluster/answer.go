package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/goconvoke/convoke/strategy"
)

// takeReport applies a report of a strategy. The first answer of a changed strategy ends the one before; a failure does not, so that a
// mistake in a changed file costs no peer.
func (r *reconciler) takeReport(t *topology, p report) {
	now := time.Now()
	isPending := p.run == t.pending
	switch {
	case p.attempt <= p.run.crashed || !isPending && p.run != t.current:
		return // of an attempt or a runner that has ended: its sink may still be called by what it left running
	case p.kind == reportCrash:
		p.run.crashed = p.attempt
		r.recordCrash(t, p.run, p.err, now)
	case p.kind == reportFail && isPending:
		t.pendingErr = p.err
	case p.kind == reportFail:
		r.recordFailure(t, p.err, now)
	default:
		if isPending {
			r.handOver(t)
		}
		r.takeAnswer(t, p, now)
	}
	r.checkWhole(t)
}

// handOver puts the strategy of the changed configuration in place of the one before.
func (r *reconciler) handOver(t *topology) {
	r.stopRunner(t.current)
	t.current, t.pending, t.pendingErr = t.pending, nil, nil
	r.reporter.info("changed strategy took over", "topology", t.settings.Name, "strategy", t.current.config.Kind)
}

// takeAnswer takes a complete or an incomplete answer of the current strategy.
func (r *reconciler) takeAnswer(t *topology, p report, now time.Time) {
	name := t.settings.Name
	t.source.state = Running
	added := false
	if p.kind == reportSet {
		added = r.ledger.Set(name, p.peers, now)
		r.noteRecovery(t, now)
		r.noteLeaving(t)
	} else {
		if wanted, _ := r.ledger.Counts(name); wanted+len(p.peers) > maxPeers {
			p.peers, p.err = nil, errTooMany
		}
		t.source.partial++
		t.source.lastAdd = now
		added = r.ledger.Add(name, p.peers, now)
		if p.err != nil {
			r.recordFailure(t, p.err, now)
		}
	}
	t.lookup = cmp.Or(p.lookup, t.lookup)
	if added {
		r.schedule.requestRound()
	}
}

// noteRecovery records a complete answer, and reports it if it follows a failure.
func (r *reconciler) noteRecovery(t *topology, now time.Time) {
	if !t.source.recordAnswer(now) {
		return
	}
	r.feed.emit(Event{Kind: EventSourceRecovered, Topology: t.settings.Name})
	r.reporter.turn("source of "+t.settings.Name, hclog.Info, "source answers again", "topology", t.settings.Name, "strategy", t.settings.Config.Kind)
}

// noteLeaving reports when this node appears to have been removed from the source.
func (r *reconciler) noteLeaving(t *topology) {
	leaving := r.ledger.Leaving(t.settings.Name)
	if leaving && !t.source.leaving {
		r.reporter.warn("this node is no longer in the answers; it dials no peer until it is listed again", "topology", t.settings.Name)
		r.feed.emit(Event{Kind: EventSelfMissing, Topology: t.settings.Name})
	}
	t.source.leaving = leaving
}

// recordFailure records that the current strategy gave no answer.
func (r *reconciler) recordFailure(t *topology, err error, now time.Time) {
	r.ledger.Fail(t.settings.Name)
	first, line := t.source.recordFailure(err, now)
	if first {
		r.feed.emit(Event{Kind: EventSourceFailed, Topology: t.settings.Name, Err: err})
	}
	if line {
		r.reporter.turn("source of "+t.settings.Name, hclog.Warn, "source gives no answer; the last one stands", "topology", t.settings.Name,
			"strategy", t.settings.Config.Kind, "error", err)
	}
}

// recordCrash records that an attempt of a strategy ended before its context.
func (r *reconciler) recordCrash(t *topology, run *runner, err error, now time.Time) {
	wrapped := fmt.Errorf("strategy %s crashed: %w", run.config.Kind, err)
	args := append([]any{"topology", t.settings.Name, "strategy", run.config.Kind}, errorArgs(err)...)
	if run == t.pending {
		t.pendingErr = wrapped
		r.reporter.error("changed strategy crashed; the one before stays in force", args...)
		return
	}
	r.recordFailure(t, wrapped, now)
	if strategy.IsPermanent(err) {
		t.source.state = Failed
		r.reporter.error("strategy cannot work here", args...)
		r.feed.emit(Event{Kind: EventStrategyFailed, Topology: t.settings.Name, Err: err})
		return
	}
	t.source.state = Restarting
	t.source.restarts++
	r.reporter.error("strategy crashed and is restarted", args...)
	r.feed.emit(Event{Kind: EventStrategyRestarted, Topology: t.settings.Name, Err: err})
}

// errorArgs returns the pairs that a line of the log has of an error, with the stack if it was a panic.
func errorArgs(err error) []any {
	if err == nil {
		return nil
	}
	args := []any{"error", err}
	var p *panicError
	if errors.As(err, &p) {
		args = append(args, "stack", p.stack)
	}
	return args
}

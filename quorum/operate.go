package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Leave gives up all that this member holds, waits until others may hold it, and stops this member's part. When ctx is done before, it returns the
// cause, and the part has stopped as after Stop. The node stays in the cluster.
func (q *Quorum) Leave(ctx context.Context) error {
	defer q.Stop()
	drained := q.report.awaitDrained()
	if err := q.post(core.Drain{}); err != nil {
		return err
	}
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("quorum: leave: what this member holds is not given up yet: %w", context.Cause(ctx))
	case <-q.ctx.Done():
		return q.Err()
	}
}

func (r *report) awaitDrained() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drained == nil {
		r.drained = make(chan struct{})
	}
	return r.drained
}

func (r *report) setDrained() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drained == nil {
		r.drained = make(chan struct{})
	}
	select {
	case <-r.drained:
	default:
		close(r.drained)
	}
}

// ErrMajority is returned by Recover if more than half of the voters may still be alive.
var ErrMajority = errors.New("quorum: more than half of the voters may still be alive")

// Recover makes this member the only voter of a new birth with what it has in its log, for the case that more than half of the voters are lost
// for good. What none but the lost ones had is lost; tokens go on growing. Use it at the member with the greatest Commit, after the lost members
// were removed from the cluster; the members that are up join the new birth within some seconds. It is refused with ErrMajority while
// more than half of the voters are up, and with force only if this member leads.
func (q *Quorum) Recover(ctx context.Context, force bool) error {
	l := q.life.Load()
	if l == nil {
		return ErrStopped
	}
	var err error
	if askErr := l.ask(ctx, func() { err = l.recover(force) }); askErr != nil {
		return askErr
	}
	return err
}

// recover prepares the successor and ends the life.
func (l *life) recover(force bool) error {
	s := l.core.Status()
	switch {
	case l.id.voter == 0:
		return errors.New("quorum: recover: this member is not eligible as a voter")
	case s.Leader != "":
		return fmt.Errorf("%w: %s leads", ErrMajority, s.Leader)
	case s.Why.Reason != core.Minority && !force:
		return fmt.Errorf("%w: %d of %d can be reached", ErrMajority, s.Why.Reachable, s.Why.Voters)
	}
	id := max(rand.Uint64(), 1)
	record := birthRecord{ID: laterBirth(l.q.config.Node.Name(), s.Birth, rand.Uint64()), Replaces: append(l.founding.Replaces, l.founding.ID)}
	birth, err := parseBirth(record.ID)
	if err != nil {
		return err
	}
	saved, err := l.core.Saved()
	if err == nil {
		saved, err = core.Recover(saved, birth, core.Voter{ID: id, Name: l.q.config.Node.Name()})
	}
	if err != nil {
		return fmt.Errorf("quorum: recover: %w", err)
	}
	l.successor = &successor{saved: saved, id: id, birth: record}
	l.q.log.Warn("this member recovers the quorum: it begins a new birth with what it has", "old", l.founding.ID, "new", record.ID)
	l.fail(errOtherBirth)
	return nil
}

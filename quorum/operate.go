package quorum

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Leave gives up all that this member holds, hands over leadership and voting, waits until others have taken over, and stops this member's part. A
// voter whose place no other member can take stays one that is down. When ctx is done before, Leave returns what is not given up, and
// the part has stopped as after Stop. The node stays in the cluster. Without a deadline it takes 10 s at most.
func (q *Quorum) Leave(ctx context.Context) error {
	defer q.Stop()
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	left := q.report.awaitLeft()
	if err := q.post(core.Leave{Timeout: timeoutOf(ctx)}); err != nil {
		return err
	}
	select {
	case <-left:
		if q.report.leftAsVoter() {
			q.log.Info("this member leaves as a voter: no other member could take its place in time")
		}
		return q.report.leftError()
	case <-ctx.Done():
		return fmt.Errorf("quorum: leave: what this member holds is not given up yet: %w", context.Cause(ctx))
	case <-q.ctx.Done():
		return ErrStopped
	}
}

func (r *report) awaitLeft() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		r.left = make(chan struct{})
	}
	return r.left
}

// leaving reports whether Leave was called.
func (r *report) leaving() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left != nil
}

func (r *report) setLeft(o core.Left) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left != nil && r.leftAs == nil {
		r.leftAs = &o
		close(r.left)
	}
}

func (r *report) leftAsVoter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leftAs.Voter
}

// leftError returns what was not given up.
func (r *report) leftError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.leftAs; o.Shards > 0 {
		return fmt.Errorf("quorum: leave: %d functions have not returned: others can hold their shards when the lease is over", o.Shards)
	}
	return nil
}

// Transfer has the leader hand leadership to another voter, by name, "" to the one with the most entries. It returns when the leader has begun; who leads then is
// in Status. ErrNotFound means that no such voter answers, ErrNotEligible that the member never has a vote.
func (q *Quorum) Transfer(ctx context.Context, to string) error {
	if m, ok := q.config.Node.View().Member(to); ok {
		if c, takesPart := coreMember(m); takesPart && c.Voter == 0 {
			return fmt.Errorf("quorum: transfer to %q: %w", to, ErrNotEligible)
		}
	}
	return q.direct(ctx, fmt.Sprintf("transfer to %q", to), func(timeout time.Duration) core.Request { return core.Transfer{To: to, Timeout: timeout} })
}

// Pin fixes a shard of a group to a member, by name, until it is pinned to another one or, with "", to none. While the member takes no part
// in the group the shard goes elsewhere; when it does again, the shard is handed over to it.
func (q *Quorum) Pin(ctx context.Context, group string, shard int, member string) error {
	return q.direct(ctx, fmt.Sprintf("pin shard %d of group %q to %q", shard, group, member), func(timeout time.Duration) core.Request {
		return core.Pin{Group: group, Shard: shard, Member: member, Timeout: timeout}
	})
}

// Move hands a shard of a group to a member now, and leaves it to the balance from then on. It returns when the member holds it.
func (q *Quorum) Move(ctx context.Context, group string, shard int, member string) error {
	return q.direct(ctx, fmt.Sprintf("move shard %d of group %q to %q", shard, group, member), func(timeout time.Duration) core.Request {
		return core.Move{Group: group, Shard: shard, Member: member, Timeout: timeout}
	})
}

// Exclude frees a member, by name, of all shards of a group, and of its restarts too, until Include. It returns when that is decided; Status shows
// how many the member still holds.
func (q *Quorum) Exclude(ctx context.Context, group, member string) error {
	return q.direct(ctx, fmt.Sprintf("exclude %q from group %q", member, group), func(timeout time.Duration) core.Request {
		return core.Exclude{Group: group, Member: member, Timeout: timeout}
	})
}

// Include undoes Exclude.
func (q *Quorum) Include(ctx context.Context, group, member string) error {
	return q.direct(ctx, fmt.Sprintf("include %q in group %q", member, group), func(timeout time.Duration) core.Request {
		return core.Exclude{Group: group, Member: member, Undo: true, Timeout: timeout}
	})
}

// direct has the leader do what an operator asks for; its error begins with what that was.
func (q *Quorum) direct(ctx context.Context, what string, with func(timeout time.Duration) core.Request) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	r, err := q.parts().ask(ctx, with)
	if err == nil {
		err = resultError(ctx, r.Code)
	}
	if err != nil {
		return fmt.Errorf("quorum: %s: %w", what, err)
	}
	return nil
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
		return fmt.Errorf("quorum: recover: this member is %w", ErrNotEligible)
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

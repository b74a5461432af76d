package quorum

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Shards is a group of shards as this member sees it. Its methods are safe for concurrent use.
type Shards struct {
	*parts
	group    string
	settings Settings
	worker   atomic.Pointer[worker] // nil: Work does not run
}

// Shards returns a group. It contacts no member, and the member is given no shards before [Shards.Work]: without it, the result serves to find
// owners. The error lists every setting that is out of its bounds, or is [ErrCount] if the group is known to exist with others.
func (q *Quorum) Shards(name string, s Settings) (*Shards, error) { return q.parts().shards(name, s) }

func (p *parts) shards(name string, s Settings) (*Shards, error) {
	err := checkGroupName(name)
	if err == nil {
		err = s.Validate()
	}
	s = s.withDefaults()
	out := &Shards{parts: p, group: name, settings: s}
	if err == nil {
		err = out.check()
	}
	if err != nil {
		return nil, wrap("shards", name, err)
	}
	p.declared.Store(name, s.group(name))
	return out, nil
}

// check returns ErrCount if the table has the group with other settings.
func (s *Shards) check() error {
	t, _ := s.newest()
	g := t.Group(s.group)
	if g == nil {
		return nil
	}
	have := s.settings.group(s.group) // the table does not show Return
	have.Shards, have.Level, have.Copies = g.Len(), g.Level(), g.Copies()
	return checkGroup(s.settings.group(s.group), have)
}

// Work takes part in the group and calls fn once for each shard that this member holds, each on a goroutine of its own; calls for one shard
// never overlap. The context of a call ends before the lease does, with [ErrLost] as its cause, when the shard is wanted by
// another member, with [ErrRevoked], or with ctx. The next holder begins when the call has returned, so it should finish what it
// does and return soon: after Settings.Handover an error is logged, and Settings.HandoverThen decides.
//
// Shards that no member holds go at once to those that have the fewest in proportion to their weights. Beyond that a member that comes gets its share
// slowly, since each move costs something: 10 s after the last member came or went, and 5 % of the shards in a minute, at least one.
// [Quorum.Move] does not wait.
//
// A call that returns an error, or panics, before its context ends is called again under the same token after a pause of 1 s to 1 min
// that doubles with each error in a row. After nil the shard stays with this member without a call until it is wanted elsewhere.
//
// Work returns when all calls have returned: the error of ctx when that ends, nil after [Shards.Drain], [ErrCount], [ErrWorking], or
// [ErrStopped] if the quorum ends. With Exit it returns [ErrStuck] without waiting for the call that is stuck.
func (s *Shards) Work(ctx context.Context, fn func(ctx context.Context, h Hold) error, opts ...WorkOption) error {
	if fn == nil {
		return wrap("work on", s.group, errNoFunction)
	}
	w := s.newWorker(s.settings.group(s.group), s.settings, fn)
	for _, opt := range opts {
		if opt == nil {
			return wrap("work on", s.group, errNilOption)
		}
		opt(w)
	}
	if !s.worker.CompareAndSwap(nil, w) {
		return wrap("work on", s.group, ErrWorking)
	}
	defer s.worker.Store(nil)
	return wrap("work on", s.group, w.work(ctx))
}

// Drain has all shards that this member holds go to others, each as soon as its call has returned, and then ends Work, which returns nil.
// It returns when Work has; at once if Work does not run. If ctx ends before, the shards go on moving.
func (s *Shards) Drain(ctx context.Context) error {
	w := s.worker.Load()
	if w == nil {
		return nil
	}
	w.inbox.put(func(context.Context) { w.drain() })
	select {
	case <-w.done:
		return wrap("drain", s.group, w.err)
	case <-ctx.Done():
		return wrap("drain", s.group, ctx.Err())
	}
}

// Stuck returns how many calls of this process have not returned within Settings.Handover after their contexts ended.
func (s *Shards) Stuck() int {
	if w := s.worker.Load(); w != nil {
		return int(w.stuck.Load())
	}
	return 0
}

// Of returns the shard of a key, by Settings.Hash.
func (s *Shards) Of(key string) int {
	if s.settings.Hash == Java {
		return OfJava(key, s.settings.Count)
	}
	return Of(key, s.settings.Count)
}

// Owner returns the name of the member that holds a shard and the token that it holds it under; ok is false if no member holds it. The answer
// is that of this member's memory, which is some time behind the leader; see [Shards.Sync]. It takes no lock and allocates nothing.
func (s *Shards) Owner(shard int) (name string, token Token, ok bool) {
	t, _ := s.newest()
	name, number, ok := t.Owner(s.group, shard)
	return name, Token(number), ok
}

// Sync waits until Owner knows everything that was decided before the call: an Owner after it is linearizable. It returns [ErrNoLeader] if no leader
// answers before ctx ends, or within 10 s if ctx has no deadline, and [ErrCount] if the group has other settings.
func (s *Shards) Sync(ctx context.Context) error {
	ctx, cancel := withTimeout(ctx)
	defer cancel()
	r, err := s.read(ctx, core.Read{})
	if err != nil {
		return wrap("sync", s.group, err)
	}
	for {
		t, changed := s.newest()
		if t.Index() >= r.Index {
			return wrap("sync", s.group, s.check())
		}
		select {
		case <-changed:
		case <-s.engine.done():
			return wrap("sync", s.group, ErrStopped)
		case <-ctx.Done():
			return wrap("sync", s.group, fmt.Errorf("%w: %w", ErrNoLeader, ctx.Err()))
		}
	}
}

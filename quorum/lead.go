package quorum

import (
	"context"
	"fmt"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// Lead has this member stand for election as the leader of something, and calls fn while it is elected: at most one member of the cluster
// leads under a name at any instant. It is a group of one exclusive shard, so no group of shards can have its name.
//
// The context of fn ends before the lease does, with [ErrLost] as its cause, or when another member is to lead, with [ErrRevoked]; the next
// leader begins after fn returned or the lease is over. Then this member stands for election again. While that context lives, fn ends the
// leadership by returning: with nil Lead returns nil; with an error, or a panic, which is logged, another member leads, and this one
// stands again after a pause of 1 s to 1 min that doubles with each error in a row.
//
// Lead returns the error of ctx when that ends, once fn has returned, [ErrCount] if the name is that of a group with other
// settings, of the cluster or from Shards of this process, [ErrWorking] if this process uses it already, [ErrStopped] if the quorum ends.
func (q *Quorum) Lead(ctx context.Context, name string, fn func(ctx context.Context, h Hold) error) error {
	return q.parts().lead(ctx, name, fn)
}

func (p *parts) lead(ctx context.Context, name string, fn func(ctx context.Context, h Hold) error) error {
	if err := checkGroupName(name); err != nil {
		return fmt.Errorf("quorum: lead: %w", err)
	}
	if fn == nil {
		return wrap("lead", name, errNoFunction)
	}
	s := Settings{Count: 1}.withDefaults()
	if have, ok := p.declared.Load(name); ok { // to lead first would fix the settings of the group for good
		if err := checkGroup(s.group(name), have.(core.GroupSettings)); err != nil {
			return wrap("lead", name, err)
		}
	}
	for failures := 1; ; failures++ {
		began := time.Now()
		w := p.newWorker(s.group(name), s, fn)
		w.single = true
		if err := w.work(ctx); !w.failed {
			return wrap("lead", name, err)
		}
		if time.Since(began) > mostPause {
			failures = 1
		}
		if err := pause(ctx, failures); err != nil {
			return wrap("lead", name, err)
		}
	}
}

// wrap adds to an error what was attempted.
func wrap(what, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("quorum: %s %q: %w", what, name, err)
}

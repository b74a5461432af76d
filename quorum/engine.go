package quorum

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// engine is what the public parts (leader, shards, map) need of the loop that owns the core. Its methods are safe for concurrent use.
type engine interface {
	// post hands an input to the core; ErrStopped after the end.
	post(in core.Input) error
	// request hands a Read, Watch or Write to the core and waits for its Result; the engine chooses the ID. The error is the cause of ctx, or
	// ErrStopped.
	request(ctx context.Context, in core.Request) (core.Result, error)
	// register makes r the receiver of what concerns a group; false if the group has one. Its methods are called on the loop, one after
	// the other, and must not block.
	register(group string, r receiver) bool
	unregister(group string)
	// leaseLeft is for how long this process may still act on what it holds in a session, by its lease clock read now; 0 or less: it may not.
	leaseLeft(session uint64) time.Duration
	// table returns the newest table and a channel that is closed when there is a newer one. Nil before the first.
	table() (t *core.TableView, changed <-chan struct{})
	// done is closed when the quorum has ended: nothing may act any more.
	done() <-chan struct{}
}

// receiver takes what concerns one group.
type receiver interface {
	start(shard int, token core.Token, session uint64)
	stop(shard int, token core.Token, lost bool)
	standby(shard int, on bool)
	refused(have core.GroupSettings)
}

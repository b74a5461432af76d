package quorum

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// engine is what the public parts need of the loop that owns the core. Calls never block longer than handing over takes, and are safe for
// concurrent use.
type engine interface {
	// post hands an input to the core; ErrStopped after the end.
	post(in core.Input) error
	// request hands a Read or Write to the core and waits for its Result (the engine chooses the ID); the error is that of ctx, or ErrStopped.
	request(ctx context.Context, in core.Input) (core.Result, error)
	// register makes r the receiver of Start, Stop, Refused outputs of a group; false if the group has one already. Calls of a receiver are
	// made on the loop, in order, and must not block.
	register(group string, r receiver) bool
	unregister(group string)
	// leaseLeft is for how long this process may still act on what it holds, by its lease clock read now; ≤ 0: not at all.
	leaseLeft(session uint64) time.Duration
	// table is the newest table; changed is closed when there is a newer one.
	table() (t *core.TableView, changed <-chan struct{})
	done() <-chan struct{} // closed when the engine has ended
}

type receiver interface {
	start(shard int, token core.Token, session uint64)
	stop(shard int, token core.Token, lost bool)
	refused(have core.GroupSettings)
}

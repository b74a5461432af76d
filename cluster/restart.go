package cluster

import (
	"context"
	"time"

	"github.com/goconvoke/convoke/internal/backoff"
)

const (
	minRestart   = time.Second
	maxRestart   = time.Minute
	restartReset = 5 * time.Minute // of running, after which a crash counts as the first again
)

// restart is the wait between a crash and the next attempt: 1 s doubling to 60 s, of which the second half is random.
type restart struct{ crashes int }

// wait waits after a crash, given how long the attempt had run. It returns false when ctx is done.
func (r *restart) wait(ctx context.Context, ran time.Duration) bool {
	if ran >= restartReset {
		r.crashes = 0
	}
	r.crashes++
	most := backoff.Doubling(minRestart, maxRestart, r.crashes)
	return backoff.Sleep(ctx, backoff.Jitter(nil, most*3/4, 1.0/3)) == nil
}

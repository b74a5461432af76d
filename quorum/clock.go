package quorum

import (
	"sync"
	"time"

	"github.com/goconvoke/convoke/quorum/internal/core"
)

// clock reads the two clocks of the core. Its methods are safe for concurrent use.
type clock struct {
	start   time.Time
	suspend func() time.Duration // for how long the host was suspended since some moment; 0 where that cannot be known

	mu    sync.Mutex
	lease core.LeaseClock
}

func newClock() *clock { return &clock{start: time.Now(), suspend: suspended} }

// now returns one reading. The time that the host was suspended is added to the monotonic clock rather than CLOCK_BOOTTIME read by
// itself, so that tests in a bubble of testing/synctest, whose monotonic clock is not that of the host, have one clock.
func (c *clock) now() core.Now {
	c.mu.Lock()
	defer c.mu.Unlock()
	slept := c.suspend()
	now := time.Now()
	mono := now.Sub(c.start)
	return c.lease.Read(mono, mono+slept, time.Duration(now.UnixNano()))
}

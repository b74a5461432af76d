package core

import (
	"testing"
	"time"
)

func TestTheLeaseClockNeverFallsBehindAndTheRunningClockNeverRunsAhead(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name             string
		mono, boot, wall time.Duration // how far each went on
		running, lease   time.Duration
	}{
		{"all clocks agree", 5 * s, 5 * s, 5 * s, 5 * s, 5 * s},
		{"the host was suspended", 5 * s, 65 * s, 65 * s, 5 * s, 65 * s},
		{"the host was suspended and only the wall clock went on", 5 * s, 5 * s, 65 * s, 5 * s, 65 * s},
		{"the wall clock was set forward", 5 * s, 5 * s, 3605 * s, 5 * s, 3605 * s},
		{"the wall clock was set back", 5 * s, 5 * s, -3595 * s, 5 * s, 5 * s},
		{"a short suspend that only the wall clock shows", 5 * s, 5 * s, 5*s + 600*time.Millisecond, 5 * s, 5*s + 600*time.Millisecond},
		{"the wall clock is slewed", 5 * s, 5 * s, 5*s + 2*time.Millisecond, 5 * s, 5 * s},
	} {
		var clock LeaseClock
		clock.Read(100*s, 200*s, 300*s)
		got := clock.Read(100*s+c.mono, 200*s+c.boot, 300*s+c.wall)
		if got.Running != c.running || got.Lease != c.lease {
			t.Errorf("%s: Read = %+v, want %v and %v", c.name, got, c.running, c.lease)
		}
	}
}

func TestTheLeaseClockSeesASuspendAfterTheWallClockWasSetBack(t *testing.T) {
	var clock LeaseClock
	clock.Read(0, 0, 0)
	clock.Read(time.Second, time.Second, time.Second-time.Hour)
	if got := clock.Read(2*time.Second, 2*time.Second, 12*time.Second-time.Hour); got.Lease != 12*time.Second {
		t.Errorf("Lease = %v, want 12s: ten of them were a suspend", got.Lease)
	}
}

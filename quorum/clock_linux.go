package quorum

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspended returns for how long the host was suspended since it was booted, never too little: CLOCK_BOOTTIME goes on in suspend,
// CLOCK_MONOTONIC stands still. What passes between the two readings is part of the result, so a pair that took long is
// read again.
func suspended() time.Duration {
	least := time.Duration(1<<63 - 1)
	for range 5 {
		var mono, boot unix.Timespec
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
			return 0
		}
		slept := time.Duration(boot.Nano() - mono.Nano())
		if least = min(least, slept); slept-least < time.Millisecond {
			break
		}
	}
	return least
}
